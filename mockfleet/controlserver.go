package mockfleet

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// controlServer serves the control port, over which a driver observes and changes the fleet. It has
// a port of its own, apart from the devices, and refuses requests without the fleet's token.
type controlServer struct {
	fleet    *Fleet
	server   *http.Server
	address  netip.AddrPort
	token    [sha256.Size]byte // hash of the token, so that comparing takes the same time for texts of any length
	cancel   context.CancelFunc
	handling sync.RWMutex // read-locked by each request, locked for good once closed
	served   chan struct{}
	serveErr error
}

const (
	controlHeaderLimit = 8 << 10
	controlBodyLimit   = 16 << 10
	controlTimeout     = 30 * time.Second       // to read a request, and to write each piece of an answer
	controlCloseLimit  = time.Second            // until a client that doesn't read is cut off
	typeLedger         = "application/x-ndjson" // one JSON document a line
)

func startControl(ctx context.Context, f *Fleet) (*controlServer, error) {
	host, port, err := server.SplitListen(f.cfg.ControlListen)
	if err != nil {
		return nil, err // Config.Validate has checked it
	}
	l, err := server.Listen(ctx, net.ListenConfig{}, "tcp", netip.AddrPortFrom(host, port))
	if err != nil {
		return nil, server.ListenError("control-listen", f.cfg.ControlListen, err)
	}
	// Requests end when the fleet closes, not when the context of Start ends: Close waits for them.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &controlServer{
		fleet:   f,
		address: l.Addr().(*net.TCPAddr).AddrPort(),
		token:   sha256.Sum256([]byte(f.cfg.Token)),
		cancel:  cancel,
		served:  make(chan struct{}),
	}
	s.server = &http.Server{
		Handler:           s.authorized(s.routes()),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: controlTimeout,
		ReadTimeout:       controlTimeout,
		IdleTimeout:       server.IdleLimit,
		MaxHeaderBytes:    controlHeaderLimit,
	}
	go func() {
		defer close(s.served)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.serveErr = fmt.Errorf("mockfleet: control port: %w", err)
		}
	}()
	return s, nil
}

func (s *controlServer) url() string {
	at := s.address
	if at.Addr().Unmap().IsUnspecified() {
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return "http://" + at.String()
}

// close ends the requests under way and waits for them.
func (s *controlServer) close() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), controlCloseLimit)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	<-s.served
	s.handling.Lock()
	return errors.Join(err, s.serveErr)
}

func (s *controlServer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/fleet", allow(http.MethodGet, s.getFleet))
	mux.HandleFunc("/devices/{index}", allow(http.MethodGet, s.getDevice))
	mux.HandleFunc("/devices/{index}/faults", allow(http.MethodPut, s.putFaults))
	mux.HandleFunc("/devices/{index}/heal", allow(http.MethodPost, s.postHealDevice))
	mux.HandleFunc("/groups", allow(http.MethodGet, s.getGroups))
	mux.HandleFunc("/groups/{group}/faults", allow(http.MethodPut, s.putGroupFaults))
	mux.HandleFunc("/groups/{group}/offline", allow(http.MethodPut, s.putOffline))
	mux.HandleFunc("/groups/{group}/heal", allow(http.MethodPost, s.postHeal))
	mux.HandleFunc("/ledger", allow(http.MethodGet, s.getLedger))
	mux.HandleFunc("/ledger/summary", allow(http.MethodGet, s.getSummary))
	mux.HandleFunc("/lease", s.serveLease)
	mux.HandleFunc("/reset", allow(http.MethodPost, s.postReset))
	mux.HandleFunc("/metrics", allow(http.MethodGet, metricsHandler(s.fleet).ServeHTTP))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, errors.New("the control port has /fleet, "+
			"/devices/INDEX, /devices/INDEX/faults, /devices/INDEX/heal, "+
			"/groups, /groups/NAME/faults, /groups/NAME/offline, /groups/NAME/heal, "+
			"/ledger, /ledger/summary, /lease, /reset and /metrics"))
	})
	return mux
}

// authorized lets requests with the fleet's bearer token (RFC 6750 §2.1) through. It answers 401 to
// others, and 503 to all once the fleet is closing.
func (s *controlServer) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.handling.TryRLock() {
			writeError(w, http.StatusServiceUnavailable, errors.New("the fleet is closing"))
			return
		}
		defer s.handling.RUnlock()
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		given := sha256.Sum256([]byte(token))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(given[:], s.token[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="fleet control"`)
			writeError(w, http.StatusUnauthorized, errors.New("want the fleet's token: Authorization: Bearer TOKEN"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allow(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			writeError(w, http.StatusMethodNotAllowed, fmt.Errorf("want %s %s", method, r.URL.Path))
			return
		}
		next(w, r)
	}
}

func (s *controlServer) getFleet(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.fleet.Status())
}

func (s *controlServer) getDevice(w http.ResponseWriter, r *http.Request) {
	i, ok := s.device(w, r)
	if !ok {
		return
	}
	status, err := s.fleet.Device(i)
	if err != nil {
		writeError(w, http.StatusNotFound, err)
		return
	}
	writeJSON(w, http.StatusOK, status)
}

func (s *controlServer) putFaults(w http.ResponseWriter, r *http.Request) {
	i, ok := s.device(w, r)
	if !ok {
		return
	}
	if b, ok := readBehavior(w, r); ok {
		s.respondDone(w, s.fleet.SetFaults(i, b))
	}
}

// getLedger streams the entries, a line each. If it can't finish, it aborts the connection, so that
// the client sees an incomplete answer (RFC 9112 §8) instead of a ledger that looks whole.
func (s *controlServer) getLedger(w http.ResponseWriter, r *http.Request) {
	q, ok := s.query(w, r)
	if !ok {
		return
	}
	entries, err := s.fleet.Find(q)
	if err != nil {
		writeError(w, errorStatus(err), err)
		return
	}
	w.Header().Set("Content-Type", typeLedger)
	piece := &deadlineWriter{w: w, control: http.NewResponseController(w)}
	out := bufio.NewWriterSize(piece, 32<<10)
	var line []byte
	for entry := range entries {
		line = entry.AppendLine(line[:0])
		if _, err := out.Write(line); err != nil || r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if out.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
}

// deadlineWriter gives every write a deadline of its own: a long answer may take as long as it
// needs, but a client that stops reading is cut off after controlTimeout.
type deadlineWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *deadlineWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(controlTimeout)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

func (s *controlServer) postReset(w http.ResponseWriter, r *http.Request) {
	if err := s.fleet.lease.check(r.Header.Get(headerLease)); err != nil {
		writeError(w, http.StatusConflict, err)
		return
	}
	s.fleet.Reset()
	w.WriteHeader(http.StatusNoContent)
}

// device reads the device's index from the path. If the path names no device, it answers 404 and
// returns false.
func (s *controlServer) device(w http.ResponseWriter, r *http.Request) (int, bool) {
	i, err := strconv.Atoi(r.PathValue("index"))
	if err != nil {
		err = fmt.Errorf("device %q: want an index, 0 to %d", r.PathValue("index"), s.fleet.Devices()-1)
	} else {
		err = s.fleet.checkDevice(i)
	}
	if err != nil {
		writeError(w, http.StatusNotFound, err)
		return 0, false
	}
	return i, true
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", wire.TypeJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, errorResponse{Error: err.Error()})
}

// errorResponse is the body of every refusal of the control port.
type errorResponse struct {
	Error string `json:"error"`
}

// The handlers below act on many devices at once, or read the ledger.

func (s *controlServer) getGroups(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.fleet.Groups())
}

func (s *controlServer) putGroupFaults(w http.ResponseWriter, r *http.Request) {
	b, ok := readBehavior(w, r)
	if !ok {
		return
	}
	s.respondDone(w, s.fleet.SetGroupFaults(r.PathValue("group"), b))
}

// offlineRequest is the body of PUT /groups/{group}/offline.
type offlineRequest struct {
	Share *random.Share `json:"share"`
}

// offlineResponse is the body of the answer to an offlineRequest.
type offlineResponse struct {
	Offline int `json:"offline"`
}

func (s *controlServer) putOffline(w http.ResponseWriter, r *http.Request) {
	var order offlineRequest
	err := decodeStrictly(http.MaxBytesReader(w, r.Body, controlBodyLimit), &order)
	if err == nil && order.Share == nil {
		err = errors.New(`want {"share": "10%"}, or a number from 0 to 1`)
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("offline: %w", err))
		return
	}
	count, err := s.fleet.SetOffline(r.PathValue("group"), *order.Share)
	if err != nil {
		writeError(w, errorStatus(err), err)
		return
	}
	writeJSON(w, http.StatusOK, offlineResponse{count})
}

func (s *controlServer) postHeal(w http.ResponseWriter, r *http.Request) {
	s.respondDone(w, s.fleet.Heal(r.PathValue("group")))
}

func (s *controlServer) postHealDevice(w http.ResponseWriter, r *http.Request) {
	if i, ok := s.device(w, r); ok {
		s.respondDone(w, s.fleet.HealDevice(i))
	}
}

// query reads the query parameters of a request for the ledger. If they are invalid, it answers 400
// and returns false.
func (s *controlServer) query(w http.ResponseWriter, r *http.Request) (ledger.Query, bool) {
	q, err := ledger.ParseQuery(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return ledger.Query{}, false
	}
	return q, true
}

func (s *controlServer) getSummary(w http.ResponseWriter, r *http.Request) {
	q, ok := s.query(w, r)
	if !ok {
		return
	}
	summary, err := s.fleet.Summarize(q)
	if err != nil {
		writeError(w, errorStatus(err), err)
		return
	}
	writeJSON(w, http.StatusOK, summary)
}

// readBehavior reads a behavior from a request's body. If the body holds no valid one, it answers
// 400 and returns false.
func readBehavior(w http.ResponseWriter, r *http.Request) (b behavior.Behavior, ok bool) {
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, controlBodyLimit), &b); err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("behavior: %w", err))
		return b, false
	}
	if err := b.Validate(); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return b, false
	}
	return b, true
}

// respondDone answers 204 if err is nil, and otherwise err with its status.
func (s *controlServer) respondDone(w http.ResponseWriter, err error) {
	if err != nil {
		writeError(w, errorStatus(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// errorStatus returns the status of an error: 404 if the fleet lacks the group, 400 for any other
// wrong field, and 507 otherwise, when the fleet has no room for one more behavior.
func errorStatus(err error) int {
	var bad *field.Error
	switch {
	case !errors.As(err, &bad):
		return http.StatusInsufficientStorage
	case bad.Field == "group":
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// decodeStrictly decodes one JSON document. It fails if the document has unknown fields or if
// anything follows it.
func decodeStrictly(r io.Reader, into any) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("want one JSON document and nothing behind it")
	}
	return nil
}

package mockfleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Control is a client of a fleet's control port, for a driver in another process.
type Control struct {
	base      *url.URL
	authorize func(*http.Request) // a function, so that printing a Control can't show the token
	client    *http.Client
	lease     atomic.Pointer[string] // the lease that the client holds, or nil
}

const (
	controlDialLimit   = 5 * time.Second
	controlAnswerLimit = 1 << 20 // bytes of an answer other than the ledger
)

// ControlError is the error of a request that the control port refused.
type ControlError struct {
	Request string // method and path
	Status  int    // HTTP status
	Message string // the error text of the answer
}

func (e *ControlError) Error() string {
	return fmt.Sprintf("mockfleet: control port: %s: status %d: %s", e.Request, e.Status, e.Message)
}

// NewControl returns a client for the control port at address, with the fleet's token. Both are in
// the fleet's Ready. The client connects at its first request. Close it when it is no longer
// needed.
func NewControl(address, token string) (*Control, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("mockfleet: control address: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil {
		const want = "http://HOST:PORT, as a fleet gives it when it is ready"
		return nil, fmt.Errorf("mockfleet: control address %q: want %s", base.Redacted(), want)
	}
	if token == "" {
		return nil, errors.New("mockfleet: control token: want the one that the fleet gave when it was ready")
	}
	transport := &http.Transport{
		// No proxy: the port is on this machine, and the token must not leave it.
		DialContext:            (&net.Dialer{Timeout: controlDialLimit}).DialContext,
		MaxIdleConns:           2,
		IdleConnTimeout:        server.IdleLimit / 2, // so that the port never closes one under a request
		ResponseHeaderTimeout:  controlTimeout,
		MaxResponseHeaderBytes: controlHeaderLimit,
	}
	return &Control{
		base:      base,
		authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		client: &http.Client{
			Transport: transport,
			// Following a redirect would send the token somewhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Status does what Fleet.Status does.
func (c *Control) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, "/fleet", nil, &s)
	return s, err
}

// Reset does what Fleet.Reset does.
func (c *Control) Reset(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/reset", nil, nil)
}

// Lease makes this client the only one that may reset the fleet, for [LeaseFor], under the holder's
// name. Called again, it renews the lease. If another client has the lease, the error is a
// *ControlError of status 409 whose message names the holder. A fleet of a release without leases
// answers 404.
func (c *Control) Lease(ctx context.Context, holder string) error {
	var own string
	if had := c.lease.Load(); had != nil {
		own = *had
	}
	var answer leaseAnswer
	if err := c.call(ctx, http.MethodPost, "/lease", leaseOrder{holder, own}, &answer); err != nil {
		return err
	}
	c.lease.Store(&answer.Lease)
	return nil
}

// Release gives the lease back. It does nothing if the client has none.
func (c *Control) Release(ctx context.Context) error {
	if c.lease.Load() == nil {
		return nil
	}
	defer c.lease.Store(nil)
	return c.call(ctx, http.MethodDelete, "/lease", nil, nil)
}

// Device returns the status of device i. If the fleet has no such device, the error is a
// *ControlError of status 404.
func (c *Control) Device(ctx context.Context, i int) (DeviceStatus, error) {
	var d DeviceStatus
	err := c.call(ctx, http.MethodGet, "/devices/"+strconv.Itoa(i), nil, &d)
	return d, err
}

// SetFaults does what Fleet.SetFaults does.
func (c *Control) SetFaults(ctx context.Context, device int, b behavior.Behavior) error {
	return c.call(ctx, http.MethodPut, "/devices/"+strconv.Itoa(device)+"/faults", b, nil)
}

// Ledger streams the fleet's ledger, which may hold millions of entries. If reading fails, the last
// pair is a zero Entry and the error. Without an error, the ledger is complete.
func (c *Control) Ledger(ctx context.Context) iter.Seq2[ledger.Entry, error] {
	return c.Find(ctx, ledger.Query{})
}

// Find streams the entries of the ledger that match q. It reports errors as Ledger does.
func (c *Control) Find(ctx context.Context, q ledger.Query) iter.Seq2[ledger.Entry, error] {
	return func(yield func(ledger.Entry, error) bool) {
		response, err := c.do(ctx, http.MethodGet, "/ledger", q.Values(), nil)
		if err != nil {
			yield(ledger.Entry{}, err)
			return
		}
		defer closeBody(response)
		lines := ledger.NewReader(response.Body)
		for {
			entry, err := lines.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(ledger.Entry{}, fmt.Errorf("mockfleet: ledger: %w", err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// Groups does what Fleet.Groups does.
func (c *Control) Groups(ctx context.Context) ([]GroupStatus, error) {
	var list []GroupStatus
	err := c.call(ctx, http.MethodGet, "/groups", nil, &list)
	return list, err
}

// SetGroupFaults does what Fleet.SetGroupFaults does.
func (c *Control) SetGroupFaults(ctx context.Context, group string, b behavior.Behavior) error {
	return c.call(ctx, http.MethodPut, groupPath(group, "faults"), b, nil)
}

// SetOffline does what Fleet.SetOffline does.
func (c *Control) SetOffline(ctx context.Context, group string, share random.Share) (int, error) {
	var answer offlineResponse
	err := c.call(ctx, http.MethodPut, groupPath(group, "offline"), offlineRequest{&share}, &answer)
	return answer.Offline, err
}

// Heal does what Fleet.Heal does.
func (c *Control) Heal(ctx context.Context, group string) error {
	return c.call(ctx, http.MethodPost, groupPath(group, "heal"), nil, nil)
}

func groupPath(group, what string) string { return "/groups/" + url.PathEscape(group) + "/" + what }

// Close closes the idle connections of the client.
func (c *Control) Close() { c.client.CloseIdleConnections() }

// call sends a request with order as its JSON body, and decodes the answer into into. Either may be
// nil.
func (c *Control) call(ctx context.Context, method, path string, order, into any) error {
	var body []byte
	var err error
	if order != nil {
		if body, err = json.Marshal(order); err != nil {
			return fmt.Errorf("mockfleet: control port: %s %s: %w", method, path, err)
		}
	}
	response, err := c.do(ctx, method, path, nil, body)
	if err != nil {
		return err
	}
	defer closeBody(response)
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, controlAnswerLimit)).Decode(into); err != nil {
		return fmt.Errorf("mockfleet: control port: %s %s: %w", method, path, err)
	}
	return nil
}

// do sends a request and returns its answer. If the status isn't 2xx, the error is a *ControlError.
func (c *Control) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("mockfleet: control port: %w", err)
	}
	c.authorize(request)
	if own := c.lease.Load(); own != nil {
		request.Header.Set(headerLease, *own)
	}
	if body != nil {
		request.Header.Set("Content-Type", wire.TypeJSON)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("mockfleet: control port: %w", err)
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer closeBody(response)
	refusal := &ControlError{Request: method + " " + path, Status: response.StatusCode}
	var problem errorResponse
	if err := json.NewDecoder(io.LimitReader(response.Body, controlAnswerLimit)).Decode(&problem); err != nil {
		problem.Error = "the answer is not the control port's: " + err.Error()
	}
	refusal.Message = problem.Error
	return nil, refusal
}

// closeBody reads the rest of a body, up to 1 MiB, so that the connection can be used again, and
// closes it.
func closeBody(response *http.Response) {
	// Neither failure changes what was read before.
	_, _ = io.CopyN(io.Discard, response.Body, controlAnswerLimit)
	_ = response.Body.Close()
}

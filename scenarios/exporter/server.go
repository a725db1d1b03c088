package exporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Bounds of the server.
const (
	maxConnections = 16
	maxRequests    = 2 // at the same time
	maxHeaderBytes = 16 << 10
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second // for reading a request, and for answering it
	closeTimeout   = 2 * time.Second  // for the answers that are being written when the server is closed
)

// Path is where the metrics are served.
const Path = "/metrics"

// A Server serves the metrics of an exporter over HTTP.
type Server struct {
	listener net.Listener
	host     string // that the user named; may be empty
	loopback bool
	http     http.Server
	handlers sync.WaitGroup
	served   chan error
}

// SplitAddress returns the host and port of an address to listen on, HOST:PORT. The host of an
// address without one, such as ":9464", is 127.0.0.1.
func SplitAddress(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || strconv.FormatUint(n, 10) != port {
		return "", "", errors.New("want HOST:PORT such as 127.0.0.1:9464, or :9464 for the loopback interface")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return host, port, nil
}

// Listen starts a server on an address that [SplitAddress] accepts; port 0 means a free one. The
// caller must close the server.
func (e *Exporter) Listen(ctx context.Context, address string) (*Server, error) {
	host, port, err := SplitAddress(address)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(e); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest repeats the address
		}
		return nil, fmt.Errorf("%w; want an address of this machine, with a port that is free, such as :0", err)
	}
	s := &Server{listener: listener, host: host, served: make(chan error, 1)}
	if addr, ok := listener.Addr().(*net.TCPAddr); ok {
		s.loopback = addr.IP.IsLoopback()
	}
	s.http = http.Server{
		Handler:           s.handler(e, registry),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout + headerTimeout,
		MaxHeaderBytes: maxHeaderBytes,
	}
	// A connection that stays open between scrapes would look like one that the client leaks.
	s.http.SetKeepAlivesEnabled(false)
	go func() { s.served <- s.http.Serve(netutil.LimitListener(listener, maxConnections)) }()
	return s, nil
}

// URL returns where the metrics are. If the server listens on all interfaces, that is the loopback
// interface, since no URL has an unspecified address.
func (s *Server) URL() string {
	address := s.listener.Addr().String()
	if addr, ok := s.listener.Addr().(*net.TCPAddr); ok && addr.IP.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
	}
	return "http://" + address + Path
}

// Loopback reports whether only this machine can reach the server.
func (s *Server) Loopback() bool { return s.loopback }

// Close ends the server. It lets running requests end, for a short time, and returns when nothing
// of the server is left.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(served, err)
	}
	s.handlers.Wait()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// handler answers GET and HEAD of the path, in the formats of Prometheus.
func (s *Server) handler(e *Exporter, from prometheus.Gatherer) http.Handler {
	metrics := promhttp.HandlerFor(from, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: maxRequests, Timeout: requestTimeout,
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		e.scraped()
		metrics.ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handlers.Add(1)
		defer s.handlers.Done()
		if !s.answers(r.Host) {
			http.Error(w, "want the address that --metrics names, or this machine's own", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// answers reports whether the server answers a request with the given Host header. A name that
// somebody else may give to this machine's address is refused, or a web page could have its own
// name resolve to this server and read the metrics (DNS rebinding).
func (s *Server) answers(hostHeader string) bool {
	host, _, err := net.SplitHostPort(hostHeader)
	if err != nil { // it has no port
		host = strings.Trim(hostHeader, "[]")
	}
	if host == "localhost" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || !s.loopback
	}
	if s.loopback {
		return false
	}
	own, err := os.Hostname()
	return strings.EqualFold(host, s.host) || err == nil && strings.EqualFold(host, own)
}

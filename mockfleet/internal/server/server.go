// Package server speaks HTTP on sockets for the devices of a store (internal/device). It holds the
// listeners, the gates of ports, the connections and the code for requests and responses, and it
// monitors whether it keeps up. Faults see its connections through faultConn. It knows neither the
// ledger nor the control port.
//
// # A connection's states
//
// The housekeeper looks at deadlines every 500 ms.
//
//	state      event                                          next
//	accepted   for no device; too many connections            closed
//	accepted   offline, rebooting, over the device's limit    closed by a reset (by path: at the first request)
//	accepted   connect fault                                  the fault acts, then closed
//	accepted   TLS stall                                      input is discarded until the client leaves, then closed
//	accepted   otherwise                                      waiting: in RawConn.Read, no buffers, deadline 2 min
//	waiting    readable                                       reading: in the poller's callback, which doesn't block
//	waiting    idle for 1 s at a tick (Linux)                 waking: state swapped, then read deadline in the past
//	waking     the deadline ended the wait                    parked: no goroutine, in the epoll set, one shot
//	waking     data came first                                serving
//	parked     readable, or the client left                   waiting, in a new goroutine
//	parked     deadline; the server closes                    closed by the housekeeper, or by Close
//	reading    nothing there yet                              waiting; the buffers go back to the pool
//	reading    a whole small request, and no behavior         served in the callback, then reading or waiting
//	reading    anything that may have to wait                 serving: the callback returns true, deadline 30 s
//	serving    latency or fault waits                         serving without a deadline, for an hour at most
//	serving    response sent, the connection is kept          waiting, or serving if more is buffered
//	serving    response sent, the body is unread              lingering
//	serving    response sent, the connection is to end        closed
//	lingering  FIN, 16 MiB or 5 s                             closed
//
// Over TLS, and where sockets can't be polled, waiting holds a goroutine and buffers, and nothing
// is parked.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// Config says how a server listens and for which devices.
type Config struct {
	Listen         string // host:port
	Addressing     address.Mode
	Network        netip.Prefix // of the devices in ip addressing; zero is the loopback network
	TLS            behavior.TLSMode
	Capacity       float64 // updates a second that all devices together answer; 0 is no limit
	MaxConnections int
	Devices        device.Config
}

// hasGates reports whether each device has a port that can refuse and stall connections.
func (cfg *Config) hasGates() bool { return cfg.Addressing == address.Port && GatesSupported }

// Server speaks HTTP for the devices of a store.
type Server struct {
	cfg   Config
	store *device.Store

	address   netip.AddrPort
	listeners []net.Listener
	gates     []*gate // one for each listener, if hasGates
	authority *authority
	tls       []tlsEndpoint // by index of the group; empty without TLS

	conns          connTable
	traffic        stripedCounters
	bufferPool     sync.Pool // of *buffers: each connection that has a request takes one
	bodyBufferPool sync.Pool // of *bodyBuffer: each connection that reads a large body takes one
	limiter        *limiter
	monitor        *monitor
	acceptErrors   atomic.Uint64

	now     atomic.Int64           // Unix nanoseconds, which date updates
	elapsed atomic.Int64           // nanoseconds since the start, by the monotonic clock
	date    atomic.Pointer[[]byte] // the Date line of responses
	started time.Time

	done    chan struct{}
	running sync.WaitGroup
}

// clockResolution is how often the server's clock moves. The clock dates answers and updates, and
// expires connections.
const clockResolution = 500 * time.Millisecond

// New makes a server and the store of its devices. It doesn't listen yet.
func New(cfg Config) *Server {
	cfg.Devices.Gated = cfg.hasGates()
	s := &Server{cfg: cfg, started: time.Now(), done: make(chan struct{})}
	s.monitor, s.limiter = newMonitor(), newLimiter(cfg.Capacity)
	s.bufferPool.New = func() any { return newBuffers() }
	s.bodyBufferPool.New = func() any { return newBodyBuffer() }
	s.conns.limit = cfg.MaxConnections
	s.setClock(s.started)
	s.store = device.New(cfg.Devices, &s.now)
	return s
}

// Listen opens the listeners. The error is a *field.Error if the system refuses one.
func (s *Server) Listen(ctx context.Context) (err error) {
	if err := s.newTLSEndpoints(); err != nil {
		return err
	}
	s.listeners, s.address, err = listenDevices(ctx, s.cfg)
	return err
}

// Serve accepts connections until Close.
func (s *Server) Serve() (err error) {
	if s.conns.idle, err = newEpollSet(); err != nil {
		return fmt.Errorf("mockfleet: waiting for idle connections: %w", err)
	}
	if s.conns.idle != nil {
		s.running.Go(s.pollIdle)
	}
	s.monitor.reset(acceptOverflows(), 0, 0)
	s.KeepTime()
	s.running.Go(s.watchTimers)
	if s.cfg.hasGates() {
		for _, l := range s.listeners {
			s.gates = append(s.gates, newGate(l))
		}
	}
	for i, l := range s.listeners {
		s.running.Go(func() { s.accept(l, i) })
	}
	s.UpdatePorts(0, len(s.gates))
	return nil
}

// KeepTime starts the goroutines that go by the clock: one expires connections, the other ends
// phases of devices.
func (s *Server) KeepTime() {
	s.running.Go(s.housekeep)
	s.running.Go(func() { s.store.RunTimers(s.done, func(i int) { s.UpdatePorts(i, i+1) }) })
}

// Close stops listening, closes every connection, and returns when all of the server's goroutines
// have ended.
func (s *Server) Close() error {
	close(s.done)
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	s.conns.closeAll()
	if s.conns.idle != nil {
		errs = append(errs, s.conns.idle.close())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// Reset makes Observed count from now on, and the ports show what their devices' behaviors say.
func (s *Server) Reset() {
	_, _, _, noRoom := s.conns.counts()
	s.monitor.reset(acceptOverflows(), s.acceptErrors.Load(), noRoom)
	s.UpdatePorts(0, len(s.gates))
}

// URL returns the fleet's own address, from which those of the devices derive.
func (s *Server) URL() string { return s.scheme() + "://" + s.address.String() }

// DeviceAddress returns the address of device i, or "" if the addressing has no such device.
func (s *Server) DeviceAddress(i int) string {
	at, err := address.NewBase(s.scheme(), s.address, s.cfg.Addressing, s.cfg.Network).Append(nil, i)
	if err != nil {
		return ""
	}
	return string(at)
}

// Store returns the store of the devices.
func (s *Server) Store() *device.Store { return s.store }

// Done returns a channel that is closed when the server begins to close.
func (s *Server) Done() <-chan struct{} { return s.done }

// Uptime returns how long ago the server was made.
func (s *Server) Uptime() time.Duration { return time.Since(s.started) }

// CA returns the certificate of the CA that clients of the devices are to trust, in PEM, or ""
// without TLS.
func (s *Server) CA() string {
	if s.authority == nil {
		return ""
	}
	return string(s.authority.pem)
}

func (s *Server) scheme() string {
	if s.authority != nil {
		return "https"
	}
	return "http"
}

// housekeep moves the fleet's clock and expires connections.
func (s *Server) housekeep() {
	ticker := time.NewTicker(clockResolution)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.setClock(now)
			s.conns.closeExpired(s.elapsed.Load())
			used, _ := CPUTime()
			s.monitor.cpuUsed(now, used)
		case <-s.done:
			return
		}
	}
}

func (s *Server) setClock(now time.Time) {
	s.now.Store(now.UnixNano())
	s.elapsed.Store(int64(now.Sub(s.started)))
	line := appendDateLine(nil, now)
	s.date.Store(&line)
}

func (s *Server) dateLine() []byte { return *s.date.Load() }

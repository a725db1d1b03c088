package server

import (
	"cmp"
	"math"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// gate is the port of one device, in port addressing. set changes what the port shows; the
// goroutine that accepts at the port waits for the gate, and reopens it when its time comes.
type gate struct {
	listener *net.TCPListener
	socket   syscall.RawConn

	mu            sync.Mutex
	state         fault.PortState
	reopenAt      time.Time      // when the port opens by itself; zero is never
	socketState   fault.PortShow // what the socket shows, which lags behind state
	stalled       chan struct{}  // closed once the socket is stalled; nil if state doesn't want that
	wake          chan struct{}  // of capacity 1; a value says that state has changed
	backlogFiller net.Conn       // fills the backlog of a stalled port
}

func newGate(l net.Listener) *gate {
	g := &gate{wake: make(chan struct{}, 1)}
	var ok bool
	if g.listener, ok = l.(*net.TCPListener); !ok || !GatesSupported {
		return nil
	}
	var err error
	if g.socket, err = g.listener.SyscallConn(); err != nil {
		return nil
	}
	return g
}

// set makes the port show p. It returns when the port does, or done is closed.
func (g *gate) set(p fault.PortState, done <-chan struct{}) {
	g.mu.Lock()
	if p == (fault.PortState{}) && g.state == p {
		g.mu.Unlock()
		return
	}
	g.state, g.reopenAt, g.stalled = p, time.Time{}, nil
	if p.For > 0 {
		g.reopenAt = time.Now().Add(p.For)
	}
	// The port is closed first, even if it is to be open: that wakes the goroutine that accepts,
	// and drops the connections in the backlog, which were begun in the state before.
	g.close()
	if p.Show == fault.PortOpen {
		g.open()
	}
	var stalled chan struct{}
	if p.Show == fault.PortStalled {
		stalled = make(chan struct{})
		g.stalled = stalled
	}
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	if stalled != nil {
		select {
		case <-stalled:
		case <-done:
		}
	}
}

// await waits until connections may be accepted. It returns false if the fleet closes.
func (g *gate) await(done <-chan struct{}) bool {
	for {
		wait, open := g.update()
		if open {
			return true
		}
		timer := time.NewTimer(cmp.Or(wait, math.MaxInt64))
		select {
		case <-g.wake:
			timer.Stop()
		case <-timer.C:
		case <-done:
			timer.Stop()
			g.mu.Lock()
			g.drainBacklog()
			g.mu.Unlock()
			return false
		}
	}
}

// update brings the socket into the state that is wanted now. It returns how long that state lasts,
// or 0 if it lasts for good, and reports whether connections may be accepted.
func (g *gate) update() (wait time.Duration, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reopenAt.IsZero() && !time.Now().Before(g.reopenAt) {
		// From here on, state equals that of a port that was never closed, so that a later call of
		// set with an open port changes nothing.
		g.reopenAt, g.state.Show, g.state.For = time.Time{}, fault.PortOpen, 0
	}
	switch {
	case g.state.Show == fault.PortOpen:
		if g.socketState != fault.PortOpen && !g.open() {
			return acceptBackoff, false // the system may lack memory: try again
		}
		return 0, true
	case g.state.Show == fault.PortStalled && g.socketState != fault.PortStalled:
		g.stall()
	}
	if g.stalled != nil {
		close(g.stalled)
		g.stalled = nil
	}
	if g.reopenAt.IsZero() {
		return 0, false
	}
	return max(1, time.Until(g.reopenAt)), false
}

// onAccept closes the port after a connection was accepted, if its state says so.
func (g *gate) onAccept() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state.CloseAfterEach > 0 && g.state.Show == fault.PortOpen {
		g.state.Show, g.reopenAt = fault.PortClosed, time.Now().Add(g.state.CloseAfterEach)
		g.close()
	}
}

func (g *gate) close() {
	g.drainBacklog()
	g.socketState = fault.PortClosed
	g.control(shutSocket)
}

func (g *gate) open() bool {
	g.drainBacklog()
	if !g.control(openSocket) {
		return false
	}
	g.socketState = fault.PortOpen
	return true
}

// fillTimeout is how long a connection may take to get into the backlog; after that, the backlog is
// full already.
const fillTimeout = time.Second

// stall fills the backlog. It stays full, because nobody accepts meanwhile.
func (g *gate) stall() {
	g.socketState = fault.PortStalled
	g.control(stallSocket)
	at := g.listener.Addr().(*net.TCPAddr)
	host := at.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	filler, err := net.DialTimeout("tcp", (&net.TCPAddr{IP: host, Port: at.Port}).String(), fillTimeout)
	if err == nil {
		g.backlogFiller = filler
	}
}

func (g *gate) drainBacklog() {
	if g.backlogFiller != nil {
		_ = g.backlogFiller.Close() // nothing was ever sent on it
		g.backlogFiller = nil
	}
}

// control changes the socket. It returns false if that fails, as it does when the listener is
// closed.
func (g *gate) control(change func(fd int) error) bool {
	var changed error
	err := g.socket.Control(func(fd uintptr) { changed = change(int(fd)) })
	return err == nil && changed == nil
}

// UpdatePorts makes the ports of devices first to end-1 show what their behaviors say.
func (s *Server) UpdatePorts(first, end int) {
	if !s.store.HasBehavior() {
		return
	}
	for i := first; i < end && i < len(s.gates); i++ {
		if s.gates[i] != nil {
			s.gates[i].set(s.store.PortState(i), s.done)
		}
	}
}

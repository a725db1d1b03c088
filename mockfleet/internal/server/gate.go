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

// gate is the port of one device, in port addressing. Whoever calls assume sets what it shows; the goroutine
// that accepts at the port waits behind it and opens it when its time comes.
type gate struct {
	listener *net.TCPListener
	socket   syscall.RawConn

	mu            sync.Mutex
	state         fault.PortState
	reopenAt      time.Time      // when it does by itself; zero is never
	socketState   fault.PortShow // that the socket is in
	stalled       chan struct{}  // closed once the socket is stalled, as the port state wants it; nil otherwise
	wake          chan struct{}  // of capacity 1: the port state has changed
	backlogFiller net.Conn       // fills the backlog of a stalled port
}

func newGate(l net.Listener) *gate {
	d := &gate{wake: make(chan struct{}, 1)}
	var ok bool
	if d.listener, ok = l.(*net.TCPListener); !ok || !GatesSupported {
		return nil
	}
	var err error
	if d.socket, err = d.listener.SyscallConn(); err != nil {
		return nil
	}
	return d
}

// set makes the port show p, and returns when it does.
func (d *gate) set(p fault.PortState, done <-chan struct{}) {
	d.mu.Lock()
	if p == (fault.PortState{}) && d.state == p {
		d.mu.Unlock()
		return
	}
	d.state, d.reopenAt, d.stalled = p, time.Time{}, nil
	if p.For > 0 {
		d.reopenAt = time.Now().Add(p.For)
	}
	// Shut first, whatever comes: that wakes the goroutine that accepts, and keeps what is in the
	// backlog from being taken for a connection in the new port state.
	d.close()
	if p.Show == fault.PortOpen {
		d.open()
	}
	var stalled chan struct{}
	if p.Show == fault.PortStalled {
		stalled = make(chan struct{})
		d.stalled = stalled
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
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
func (d *gate) await(done <-chan struct{}) bool {
	for {
		wait, open := d.update()
		if open {
			return true
		}
		timer := time.NewTimer(cmp.Or(wait, math.MaxInt64))
		select {
		case <-d.wake:
			timer.Stop()
		case <-timer.C:
		case <-done:
			timer.Stop()
			d.mu.Lock()
			d.drainBacklog()
			d.mu.Unlock()
			return false
		}
	}
}

// update brings the socket into the state that is wanted now, and tells how long that lasts; 0 is for good.
func (d *gate) update() (wait time.Duration, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.reopenAt.IsZero() && !time.Now().Before(d.reopenAt) {
		// It is as if it had always been open, so that whoever is told so afterwards changes nothing.
		d.reopenAt, d.state.Show, d.state.For = time.Time{}, fault.PortOpen, 0
	}
	switch {
	case d.state.Show == fault.PortOpen:
		if d.socketState != fault.PortOpen && !d.open() {
			return acceptBackoff, false // as for want of memory: it is tried again
		}
		return 0, true
	case d.state.Show == fault.PortStalled && d.socketState != fault.PortStalled:
		d.stall()
	}
	if d.stalled != nil {
		close(d.stalled)
		d.stalled = nil
	}
	if d.reopenAt.IsZero() {
		return 0, false
	}
	return max(1, time.Until(d.reopenAt)), false
}

// onAccept tells the gate that a connection came through.
func (d *gate) onAccept() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.CloseAfterEach > 0 && d.state.Show == fault.PortOpen {
		d.state.Show, d.reopenAt = fault.PortClosed, time.Now().Add(d.state.CloseAfterEach)
		d.close()
	}
}

func (d *gate) close() {
	d.drainBacklog()
	d.socketState = fault.PortClosed
	d.control(shutSocket)
}

func (d *gate) open() bool {
	d.drainBacklog()
	if !d.control(openSocket) {
		return false
	}
	d.socketState = fault.PortOpen
	return true
}

// fillTimeout is until a connection that was to fill the backlog counts as one that found it full.
const fillTimeout = time.Second

// stall is called while nobody accepts: what fills the backlog stays in it.
func (d *gate) stall() {
	d.socketState = fault.PortStalled
	d.control(stallSocket)
	at := d.listener.Addr().(*net.TCPAddr)
	host := at.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	plug, err := net.DialTimeout("tcp", (&net.TCPAddr{IP: host, Port: at.Port}).String(), fillTimeout)
	if err == nil {
		d.backlogFiller = plug
	}
}

func (d *gate) drainBacklog() {
	if d.backlogFiller != nil {
		_ = d.backlogFiller.Close() // nobody has ever said anything on it
		d.backlogFiller = nil
	}
}

// control changes the socket; it can't where the listener is closed.
func (d *gate) control(change func(fd int) error) bool {
	var changed error
	err := d.socket.Control(func(fd uintptr) { changed = change(int(fd)) })
	return err == nil && changed == nil
}

// UpdatePorts makes the ports of devices from first to before end show what their behaviors say.
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

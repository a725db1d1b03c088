package mockfleet

import (
	"cmp"
	"math"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// door is the port of one device, in port addressing. Whoever calls assume sets what it shows; the goroutine
// that accepts at the port waits behind it and opens it when its time comes.
type door struct {
	listener *net.TCPListener
	socket   syscall.RawConn

	mu      sync.Mutex
	posture fault.PortState
	opens   time.Time      // when it does by itself; zero is never
	shows   fault.PortShow // that the socket is in
	stalled chan struct{}  // closed once the socket is stalled, as the posture wants it; nil otherwise
	wake    chan struct{}  // of capacity 1: the posture has changed
	plug    net.Conn       // fills the backlog of a stalled port
}

func newDoor(l net.Listener) *door {
	d := &door{wake: make(chan struct{}, 1)}
	var ok bool
	if d.listener, ok = l.(*net.TCPListener); !ok || !canShut {
		return nil
	}
	var err error
	if d.socket, err = d.listener.SyscallConn(); err != nil {
		return nil
	}
	return d
}

// assume makes the port show p, and returns when it does.
func (d *door) assume(p fault.PortState, done <-chan struct{}) {
	d.mu.Lock()
	if p == (fault.PortState{}) && d.posture == p {
		d.mu.Unlock()
		return
	}
	d.posture, d.opens, d.stalled = p, time.Time{}, nil
	if p.For > 0 {
		d.opens = time.Now().Add(p.For)
	}
	// Shut first, whatever comes: that wakes the goroutine that accepts, and keeps what is in the
	// backlog from being taken for a connection under the new posture.
	d.shut()
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

// await returns when connections may be accepted; false is that the fleet closes.
func (d *door) await(done <-chan struct{}) bool {
	for {
		wait, open := d.step()
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
			d.unplug()
			d.mu.Unlock()
			return false
		}
	}
}

// step brings the socket into the state that is wanted now, and tells how long that lasts; 0 is for good.
func (d *door) step() (wait time.Duration, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.opens.IsZero() && !time.Now().Before(d.opens) {
		// It is as if it had always been open, so that whoever is told so afterwards changes nothing.
		d.opens, d.posture.Show, d.posture.For = time.Time{}, fault.PortOpen, 0
	}
	switch {
	case d.posture.Show == fault.PortOpen:
		if d.shows != fault.PortOpen && !d.open() {
			return acceptBackoff, false // as for want of memory: it is tried again
		}
		return 0, true
	case d.posture.Show == fault.PortStalled && d.shows != fault.PortStalled:
		d.stall()
	}
	if d.stalled != nil {
		close(d.stalled)
		d.stalled = nil
	}
	if d.opens.IsZero() {
		return 0, false
	}
	return max(1, time.Until(d.opens)), false
}

// passed tells the door that a connection came through.
func (d *door) passed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.posture.CloseAfterEach > 0 && d.posture.Show == fault.PortOpen {
		d.posture.Show, d.opens = fault.PortClosed, time.Now().Add(d.posture.CloseAfterEach)
		d.shut()
	}
}

func (d *door) shut() {
	d.unplug()
	d.shows = fault.PortClosed
	d.control(shutSocket)
}

func (d *door) open() bool {
	d.unplug()
	if !d.control(openSocket) {
		return false
	}
	d.shows = fault.PortOpen
	return true
}

// plugLimit is until a connection that was to fill the backlog counts as one that found it full.
const plugLimit = time.Second

// stall is called while nobody accepts: what fills the backlog stays in it.
func (d *door) stall() {
	d.shows = fault.PortStalled
	d.control(stallSocket)
	at := d.listener.Addr().(*net.TCPAddr)
	host := at.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	plug, err := net.DialTimeout("tcp", (&net.TCPAddr{IP: host, Port: at.Port}).String(), plugLimit)
	if err == nil {
		d.plug = plug
	}
}

func (d *door) unplug() {
	if d.plug != nil {
		_ = d.plug.Close() // nobody has ever said anything on it
		d.plug = nil
	}
}

// control changes the socket; it can't where the listener is closed.
func (d *door) control(change func(fd int) error) bool {
	var changed error
	err := d.socket.Control(func(fd uintptr) { changed = change(int(fd)) })
	return err == nil && changed == nil
}

// setDoors makes the ports of devices from first to before end show what their behaviours say.
func (f *Fleet) setDoors(first, end int) {
	if !f.store.HasBehavior() {
		return
	}
	for i := first; i < end && i < len(f.doors); i++ {
		if f.doors[i] != nil {
			f.doors[i].assume(f.store.PortState(i), f.done)
		}
	}
}

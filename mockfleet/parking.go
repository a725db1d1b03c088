package mockfleet

import (
	"errors"
	"os"
	"time"
)

// A kept-alive connection that has been idle for a while is parked: its goroutine ends, and with it the 4 KiB
// of stack that one request makes it grow to; when something comes, it gets another. Where there is no way to
// wait for many connections at once, each keeps its goroutine.

// parkAfter is how long a connection is idle before it is parked, by the grain of the housekeeper's clock. A
// client that goes on sooner finds a goroutine that waits for it.
const parkAfter = time.Second

// What a connection's goroutine does, so that the housekeeper breaks off its wait and nothing else.
const (
	busy    int32 = iota
	waiting       // for the first byte of a request
	nudged        // likewise, and it was told to stop waiting
)

// waitAsIdle waits for a request until there is something of it; park is that it is to be parked meanwhile.
func (c *conn) waitAsIdle() (park bool, err error) {
	c.doing.Store(waiting)
	err = c.ready.Read(c.arrived)
	if c.doing.Swap(busy) != nudged {
		return false, err
	}
	c.fleet.registry.settled()
	if clearErr := c.SetReadDeadline(time.Time{}); clearErr != nil {
		return false, clearErr
	}
	return c.work == nil && errors.Is(err, os.ErrDeadlineExceeded), err
}

// settled returns when nobody is in the middle of changing connections.
func (r *registry) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
}

// nudge tells c to stop waiting if it has been idle for a while, now being in nanoseconds since the fleet's
// start. r is locked.
func (r *registry) nudge(c *conn, now int64) {
	at := c.deadline.Load()
	idle := at-now > int64(stallLimit) // any other deadline is nearer
	if idle && now-(at-int64(idleLimit)) > int64(parkAfter) && r.lot != nil && c.doing.CompareAndSwap(waiting, nudged) {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // it fails where the connection has ended
	}
}

// park takes c's goroutine from it; false is that it can't be had.
func (r *registry) park(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.lot == nil {
		return false
	}
	var fd int
	if c.ready.Control(func(own uintptr) { fd = int(own) }) != nil || !r.lot.watch(fd) {
		return false
	}
	for len(r.parked) <= fd {
		r.parked = append(r.parked, nil)
	}
	r.parked[fd] = c
	c.place = fd
	c.isParked = true
	return true
}

// unpark gives the connections that something has come for, of the descriptors in list.
func (r *registry) unpark(list []int32) (come []*conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range list {
		// A descriptor that was closed meanwhile may be another connection's by now: that one finds
		// nothing to read, and waits.
		if int(fd) < len(r.parked) && r.parked[fd] != nil {
			c := r.parked[fd]
			r.forget(c)
			come = append(come, c)
		}
	}
	return come
}

// forget takes c off the lot. r is locked.
func (r *registry) forget(c *conn) {
	r.parked[c.place] = nil
	c.isParked = false
}

// attendParked gives connections that something has come for a goroutine, until the fleet closes.
func (f *Fleet) attendParked() {
	var list [parkedAtOnce]int32
	for {
		n, err := f.registry.lot.await(list[:])
		if err != nil {
			return
		}
		for _, c := range f.registry.unpark(list[:n]) {
			f.running.Go(c.resume)
		}
	}
}

const parkedAtOnce = 128

package server

import (
	"bytes"
	"errors"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// parkIdleAfter is how long a connection is idle before it is parked, by the grain of the housekeeper's clock. A
// client that goes on sooner finds a goroutine that waits for it.
const parkIdleAfter = time.Second

// What a connection's goroutine does, so that the housekeeper breaks off its wait and nothing else.
const (
	stateServing int32 = iota
	stateWaiting       // for the first byte of a request
	stateWaking        // likewise, and it was told to stop waiting
)

// waitReadable waits for a request until there is something of it; park is that it is to be parked meanwhile.
func (c *conn) waitReadable() (park bool, err error) {
	c.state.Store(stateWaiting)
	err = c.ready.Read(c.onReadable)
	if c.state.Swap(stateServing) != stateWaking {
		return false, err
	}
	c.srv.conns.waitForTable()
	if clearErr := c.SetReadDeadline(time.Time{}); clearErr != nil {
		return false, clearErr
	}
	return c.buf == nil && errors.Is(err, os.ErrDeadlineExceeded), err
}

// waitForTable returns when nobody is in the middle of changing connections.
func (t *connTable) waitForTable() {
	t.mu.Lock()
	defer t.mu.Unlock()
}

// wake tells c to stop waiting if it has been idle for a while, now being in nanoseconds since the fleet's
// start. r is locked.
func (t *connTable) wake(c *conn, now int64) {
	at := c.deadline.Load()
	idle := at-now > int64(StallLimit) // any other deadline is nearer
	if idle && now-(at-int64(IdleLimit)) > int64(parkIdleAfter) && t.idle != nil && c.state.CompareAndSwap(stateWaiting, stateWaking) {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // it fails where the connection has ended
	}
}

// park releases the goroutine of an idle connection. It reports whether it could.
func (t *connTable) park(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.idle == nil {
		return false
	}
	var fd int
	if c.ready.Control(func(own uintptr) { fd = int(own) }) != nil || !t.idle.watch(fd) {
		return false
	}
	for len(t.parked) <= fd {
		t.parked = append(t.parked, nil)
	}
	t.parked[fd] = c
	c.slot = fd
	c.isParked = true
	return true
}

// takeReady gives the connections that something has come for, of the descriptors in list.
func (t *connTable) takeReady(list []int32) (come []*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fd := range list {
		// A descriptor that was closed meanwhile may be another connection's by now: that one finds
		// nothing to read, and waits.
		if int(fd) < len(t.parked) && t.parked[fd] != nil {
			c := t.parked[fd]
			t.removeParked(c)
			come = append(come, c)
		}
	}
	return come
}

// removeParked takes c out of the parked ones. r is locked.
func (t *connTable) removeParked(c *conn) {
	t.parked[c.slot] = nil
	c.isParked = false
}

// pollIdle gives connections that something has come for a goroutine, until the fleet closes.
func (s *Server) pollIdle() {
	var list [parkedAtOnce]int32
	for {
		n, err := s.conns.idle.await(list[:])
		if err != nil {
			return
		}
		for _, c := range s.conns.takeReady(list[:n]) {
			s.running.Go(c.serveLoop)
		}
	}
}

const parkedAtOnce = 128

// waitRequest waits until there is something of a request that is not answered within the wait, and has buffers
// then. It may tell instead that the connection is to be parked.
func (c *conn) waitRequest() (ready, park bool) {
	if c.buf != nil {
		return true, false
	}
	c.setDeadline(IdleLimit)
	c.readErr = nil
	if c.ready != nil {
		park, err := c.waitReadable()
		return err == nil && c.buf != nil && c.readErr == nil, park
	}
	c.getBuffers()
	_, err := c.buf.reader.Peek(1)
	return err == nil, false
}

// tryServe is called when the connection may have something to read: it reads into buffers, and gives them
// back if there was nothing yet, or nothing more. False is that it waits on.
func (c *conn) tryServe(fd uintptr) bool {
	if c.buf == nil {
		c.getBuffers()
	}
	for {
		c.fd = fd
		_, err := c.buf.reader.Peek(1)
		c.fd = 0
		if errors.Is(err, errNothingYet) {
			c.putBuffers()
			return false
		}
		if err != nil || !c.serveBuffered() {
			return true
		}
		c.served++
		if c.buf.reader.Buffered() > 0 {
			continue
		}
		c.setDeadline(IdleLimit)
		if !c.bufferFull {
			c.putBuffers()
			return false
		}
	}
}

var errNothingYet = errors.New("nothing to read yet")

// serveBuffered answers the request in the buffer if that takes no wait for the client: if it is here whole, and
// nothing else but its answer is wanted. False is that it is left to serveNext, or that the connection ends.
func (c *conn) serveBuffered() bool {
	b := c.buf
	buffered, err := b.reader.Peek(b.reader.Buffered())
	if err != nil || !bytes.Contains(buffered, endOfHead) {
		return false
	}
	if c.readHead(); c.headErr != nil {
		return false
	}
	r := &b.request
	if c.hasBehavior() || !r.BodyRead && (r.Length == fault.UnknownLength || r.Length > int64(b.reader.Buffered())) {
		return false
	}
	c.headRead = false
	c.inCallback = true
	goesOn := c.respond(r)
	c.inCallback = false
	if !goesOn {
		c.readErr = errResponded
	}
	return goesOn
}

var (
	endOfHead    = []byte("\r\n\r\n")
	errResponded = errors.New("the last answer ended the connection")
)

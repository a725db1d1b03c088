package server

import (
	"bytes"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// A connection that has been idle for a while is parked: its goroutine ends, which frees the 4 KiB
// of stack that one request makes it grow to. When the socket is readable again, the connection
// gets another goroutine. On systems without epoll, each connection keeps its goroutine.
//
//	   accepted                 readable: a small request is answered within the wait
//	       |                            +-----+
//	       v       answered             |     v
//	+-> serving ------------------->  waiting
//	|      ^  ^                       |     |
//	|      |  +----- readable: -------+     | idle for parkIdleAfter
//	|      |     any other request          v
//	|      +------------------------------ waking
//	|            readable after all         |
//	|                                       | nothing came
//	|        readable: pollIdle             v
//	+------ starts a goroutine ---------- parked
//
// A connection's own goroutine makes all of these moves but two: the housekeeper moves it from
// waiting to waking, and pollIdle moves it out of parked. A connection may end in any state.

// parkIdleAfter is how long a connection is idle before it is parked, which happens at the
// housekeeper's next tick.
const parkIdleAfter = time.Second

// idleWait is a connection's wait for requests, in Go's poller. With the zero value, the connection
// waits in a blocking read instead.
type idleWait struct {
	onReadable func(fd uintptr) bool // conn.tryServe, if the socket can be polled and has no TLS
	state      atomic.Int32          // stateServing, stateWaiting or stateWaking
	inCallback bool                  // onReadable is answering a request, during which nothing may wait for the client
}

// The states of a connection's goroutine. The housekeeper wakes one only if it swaps stateWaiting
// for stateWaking, so that it never interrupts a request.
const (
	stateServing int32 = iota
	stateWaiting       // for the first byte of a request
	stateWaking        // for the same, with a read deadline in the past, which the housekeeper has set
)

// waitReadable waits for the next request. It returns false for park if a request must be served
// outside of the wait, or if the connection has ended, and true if the connection is to be parked.
func (c *conn) waitReadable() (park bool, err error) {
	c.wait.state.Store(stateWaiting)
	err = c.socket.Read(c.wait.onReadable)
	if c.wait.state.Swap(stateServing) != stateWaking {
		return false, err
	}
	c.srv.conns.waitForTable()
	if clearErr := c.SetReadDeadline(time.Time{}); clearErr != nil {
		return false, clearErr
	}
	return c.buf == nil && errors.Is(err, os.ErrDeadlineExceeded), err
}

// waitForTable returns once the housekeeper is out of wake, which sets the read deadline under the
// table's lock. A deadline cleared afterwards stays cleared.
func (t *connTable) waitForTable() {
	t.mu.Lock()
	defer t.mu.Unlock()
}

// wake makes c stop waiting if it has been idle for a while. now is in nanoseconds since the
// server's start. t is locked.
func (t *connTable) wake(c *conn, now int64) {
	if t.idle != nil && c.deadline.idleFor(now) > parkIdleAfter && c.wait.state.CompareAndSwap(stateWaiting, stateWaking) {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // it fails if the connection has ended
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
	if c.socket.Control(func(own uintptr) { fd = int(own) }) != nil || !t.idle.watch(fd) {
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

// takeReady removes the connections with the descriptors in list from the parked ones, and returns
// them.
func (t *connTable) takeReady(list []int32) (come []*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fd := range list {
		// If the descriptor was closed meanwhile, it may be another connection's now. That one
		// finds nothing to read, and waits.
		if int(fd) < len(t.parked) && t.parked[fd] != nil {
			c := t.parked[fd]
			t.removeParked(c)
			come = append(come, c)
		}
	}
	return come
}

// removeParked removes c from the parked connections. t is locked.
func (t *connTable) removeParked(c *conn) {
	t.parked[c.slot] = nil
	c.isParked = false
}

// pollIdle gives each parked connection a goroutine again when it is readable, until the server
// closes.
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

// parkedAtOnce is how many readable connections one epoll_wait returns at most.
const parkedAtOnce = 128

// A connection waits for requests in one long RawConn.Read: Go's poller calls tryServe whenever the
// socket may be readable. tryServe reads and answers small requests itself, without leaving the
// wait. A loop that began the wait anew for each request would make one more read each time, which
// finds nothing. That would be one system call in four.

// waitRequest waits for a request that tryServe leaves to serveNext. If ready is true, there is
// one, and the connection has buffers for it. If park is true, the connection is to be parked. If
// neither is true, the connection has ended.
func (c *conn) waitRequest() (ready, park bool) {
	if c.buf != nil {
		return true, false
	}
	c.deadline.set(IdleLimit)
	c.readErr = nil
	if c.wait.onReadable != nil {
		park, err := c.waitReadable()
		return err == nil && c.buf != nil && c.readErr == nil, park
	}
	c.getBuffers()
	_, err := c.buf.reader.Peek(1)
	return err == nil, false
}

// tryServe reads what the connection has, and answers the requests that serveBuffered can. It
// returns false, with the buffers given back, if the connection is to wait for more. It returns
// true if the wait is over.
func (c *conn) tryServe(fd uintptr) bool {
	if c.buf == nil {
		c.getBuffers()
	}
	for {
		c.pollFD = fd
		_, err := c.buf.reader.Peek(1)
		c.pollFD = 0
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
		c.deadline.set(IdleLimit)
		if !c.filled {
			c.putBuffers()
			return false
		}
	}
}

var errNothingYet = errors.New("nothing to read yet")

// serveBuffered answers the request in the buffer if nothing has to wait for the client: if the
// whole request has arrived and no device has a behavior. It returns false if the request is left
// to serveNext, or if the connection ends.
func (c *conn) serveBuffered() bool {
	b := c.buf
	buffered, err := b.reader.Peek(b.reader.Buffered())
	if err != nil || !bytes.Contains(buffered, endOfHead) {
		return false
	}
	if c.readHead(); b.head.err != nil {
		return false
	}
	r := &b.request
	if c.hasBehavior() || !r.BodyRead && (r.Length == fault.UnknownLength || r.Length > int64(b.reader.Buffered())) {
		return false
	}
	b.head.isRead = false
	c.wait.inCallback = true
	goesOn := c.respond(r)
	c.wait.inCallback = false
	if !goesOn {
		c.readErr = errResponded
	}
	return goesOn
}

var (
	endOfHead    = []byte("\r\n\r\n")
	errResponded = errors.New("the last answer ended the connection")
)

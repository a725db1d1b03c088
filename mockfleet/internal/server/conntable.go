package server

import (
	"sync"
)

// connTable holds the open connections, so that they can be counted, bounded, expired and closed.
type connTable struct {
	mu      sync.Mutex
	first   *conn
	open    int
	limit   int
	total   uint64
	refused uint64
	noRoom  uint64 // of those, the ones for want of room
	closed  bool
	idle    *epollSet // where idle connections are parked; nil is nowhere
	parked  []*conn   // by descriptor
}

// add takes c in unless the fleet is closed or has as many connections as it may.
func (t *connTable) add(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	if t.closed || t.open == t.limit {
		t.refused++
		if !t.closed {
			t.noRoom++
		}
		return false
	}
	t.open++
	c.next = t.first
	if t.first != nil {
		t.first.previous = c
	}
	t.first = c
	return true
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlink(c)
}

func (t *connTable) unlink(c *conn) {
	t.open--
	if c.previous != nil {
		c.previous.next = c.next
	} else {
		t.first = c.next
	}
	if c.next != nil {
		c.next.previous = c.previous
	}
}

// refuse counts a connection that was closed because it is none for this fleet.
func (t *connTable) refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	t.refused++
}

// closeExpired closes the connections whose deadline is before now, in nanoseconds since the fleet's start, and has
// those parked that have been idle for a while.
func (t *connTable) closeExpired(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := t.first; c != nil; {
		next := c.next
		if at := c.deadline.Load(); at != 0 && at < now {
			t.close(c)
		} else if !c.isParked {
			t.wake(c, now)
		}
		c = next
	}
}

// close closes c, whose goroutine sees that and takes it out. Where it has none, this does.
func (t *connTable) close(c *conn) {
	_ = c.Close() // nobody else would see how that went
	if !c.isParked {
		return
	}
	t.removeParked(c)
	t.unlink(c)
	if c.counted {
		c.srv.store.Disconnect(c.device)
	}
}

// closeAll closes every connection and lets no further one in.
func (t *connTable) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for c := t.first; c != nil; {
		next := c.next
		t.close(c)
		c = next
	}
}

func (t *connTable) counts() (open int, total, refused, noRoom uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open, t.total, t.refused, t.noRoom
}

// A kept-alive connection that has been idle for a while is parked: its goroutine ends, and with it the 4 KiB
// of stack that one request makes it grow to; when something comes, it gets another. Where there is no way to
// wait for many connections at once, each keeps its goroutine.

// How a request arrives. A connection waits in one long wait of Go's poller, of which tryServe is the part that
// is called whenever something may have come. Within one wait, whatever comes is told once at least. So a
// small request is read, answered and done with inside of it, and the next one costs no look that finds nothing, as it does
// where each request is awaited anew: one system call in four.

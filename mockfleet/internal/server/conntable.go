package server

import "sync"

// connTable holds the open connections. It counts and limits them, and closes those whose deadline
// has passed.
type connTable struct {
	mu      sync.Mutex
	first   *conn
	open    int
	limit   int
	total   uint64
	refused uint64
	noRoom  uint64 // those of refused that were beyond the limit
	closed  bool
	idle    *epollSet // where idle connections are parked; nil if they can't be
	parked  []*conn   // the parked connections, by descriptor
}

// add adds c. It returns false if the table is closed or at its limit.
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

// unlink takes c out of the list. t is locked.
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

// refuse counts a connection that was closed because it is for no device of the fleet.
func (t *connTable) refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	t.refused++
}

// closeExpired closes the connections whose deadline is before now, in nanoseconds since the
// server's start. It wakes those that have been idle for a while, which then park themselves.
func (t *connTable) closeExpired(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := t.first; c != nil; {
		next := c.next
		if c.deadline.passed(now) {
			t.close(c)
		} else if !c.isParked {
			t.wake(c, now)
		}
		c = next
	}
}

// close closes c. The goroutine of c notices that and removes c from the table. A parked connection
// has no goroutine, so close removes it. t is locked.
func (t *connTable) close(c *conn) {
	_ = c.Close() // it ends either way
	if !c.isParked {
		return
	}
	t.removeParked(c)
	t.unlink(c)
	if c.counted {
		c.srv.store.Disconnect(c.device)
	}
}

// closeAll closes every connection. Afterwards add takes no more.
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

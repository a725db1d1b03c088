package mockfleet

import "sync"

// registry holds the open connections, so that they can be counted, bounded, expired and closed.
type registry struct {
	mu      sync.Mutex
	first   *conn
	open    int
	limit   int
	total   uint64
	refused uint64
	noRoom  uint64 // of those, the ones for want of room
	closed  bool
}

// add takes c in unless the fleet is closed or has as many connections as it may.
func (r *registry) add(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if r.closed || r.open == r.limit {
		r.refused++
		if !r.closed {
			r.noRoom++
		}
		return false
	}
	r.open++
	c.next = r.first
	if r.first != nil {
		r.first.previous = c
	}
	r.first = c
	return true
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	if c.previous != nil {
		c.previous.next = c.next
	} else {
		r.first = c.next
	}
	if c.next != nil {
		c.next.previous = c.previous
	}
}

// refuse counts a connection that was closed because it is none for this fleet.
func (r *registry) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	r.refused++
}

// expire closes the connections whose deadline is before now, in nanoseconds since the fleet's start.
func (r *registry) expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := r.first; c != nil; c = c.next {
		if at := c.deadline.Load(); at != 0 && at < now {
			_ = c.Close() // its goroutine sees that it is closed, and nobody else would
		}
	}
}

// closeAll closes every connection and lets no further one in.
func (r *registry) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c := r.first; c != nil; c = c.next {
		_ = c.Close() // as above
	}
}

func (r *registry) counts() (open int, total, refused, noRoom uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.total, r.refused, r.noRoom
}

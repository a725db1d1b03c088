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
	lot     *lot    // where idle connections are parked; nil is nowhere
	parked  []*conn // by descriptor
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
	r.unlink(c)
}

func (r *registry) unlink(c *conn) {
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

// expire closes the connections whose deadline is before now, in nanoseconds since the fleet's start, and has
// those parked that have been idle for a while.
func (r *registry) expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := r.first; c != nil; {
		next := c.next
		if at := c.deadline.Load(); at != 0 && at < now {
			r.close(c)
		} else if !c.isParked {
			r.nudge(c, now)
		}
		c = next
	}
}

// close closes c, whose goroutine sees that and takes it out. Where it has none, this does.
func (r *registry) close(c *conn) {
	_ = c.Close() // nobody else would see how that went
	if !c.isParked {
		return
	}
	r.forget(c)
	r.unlink(c)
	if c.held {
		c.fleet.store.letGo(c.device)
	}
}

// closeAll closes every connection and lets no further one in.
func (r *registry) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c := r.first; c != nil; {
		next := c.next
		r.close(c)
		c = next
	}
}

func (r *registry) counts() (open int, total, refused, noRoom uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.total, r.refused, r.noRoom
}

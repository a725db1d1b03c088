package server

import (
	"sync/atomic"
	"time"
)

// deadline is the time at which the housekeeper closes a connection. It goes by the server's clock,
// which moves only every 500 ms. That is precise enough for these limits, and saves a timer for
// each request.
type deadline struct {
	clock *atomic.Int64 // the server's, in nanoseconds since its start
	at    atomic.Int64  // by that clock; 0 is never
}

// set sets the deadline to the given time from now.
func (d *deadline) set(after time.Duration) {
	if at := d.clock.Load() + int64(after); d.at.Load() != at {
		d.at.Store(at)
	}
}

// clear removes the deadline.
func (d *deadline) clear() { d.at.Store(0) }

// passed reports whether the deadline is before now, in nanoseconds since the server's start.
func (d *deadline) passed(now int64) bool {
	at := d.at.Load()
	return at != 0 && at < now
}

// idleFor returns how long the connection has been idle, or 0 if it isn't. It tells by the
// deadline: only an idle connection has one further ahead than stallLimit. now is in nanoseconds
// since the server's start.
func (d *deadline) idleFor(now int64) time.Duration {
	at := d.at.Load()
	if at-now <= int64(stallLimit) {
		return 0
	}
	return time.Duration(now - (at - int64(IdleLimit)))
}

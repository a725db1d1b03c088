package server

import (
	"sync/atomic"
	"time"
)

// deadline is when the housekeeper closes a connection. Its clock ticks slowly, which is all that
// such limits need, so that a request costs no timer.
type deadline struct {
	clock *atomic.Int64 // the server's, in nanoseconds since its start
	at    atomic.Int64  // by that clock; 0 is never
}

// set makes the deadline so far from now.
func (d *deadline) set(after time.Duration) {
	if at := d.clock.Load() + int64(after); d.at.Load() != at {
		d.at.Store(at)
	}
}

// clear makes the deadline never.
func (d *deadline) clear() { d.at.Store(0) }

// passed reports whether the deadline is before now, in nanoseconds since the server's start.
func (d *deadline) passed(now int64) bool {
	at := d.at.Load()
	return at != 0 && at < now
}

// idleFor returns how long the connection has been idle, or 0 if it isn't: any deadline but
// IdleLimit is nearer than stallLimit. now is in nanoseconds since the server's start.
func (d *deadline) idleFor(now int64) time.Duration {
	at := d.at.Load()
	if at-now <= int64(stallLimit) {
		return 0
	}
	return time.Duration(now - (at - int64(IdleLimit)))
}

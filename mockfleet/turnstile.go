package mockfleet

import (
	"sync/atomic"
	"time"
)

// turnstile lets answers through at a rate, in the order in which they come to it: a fleet with a
// known limit, that a load can be held against.
type turnstile struct {
	every time.Duration // from one answer to the next; 0 is as they come
	next  atomic.Int64  // when the next one may pass, in nanoseconds since the fleet's start
}

func newTurnstile(perSecond float64) *turnstile {
	t := &turnstile{}
	if perSecond > 0 {
		t.every = time.Duration(float64(time.Second) / perSecond)
	}
	return t
}

// wait takes a turn, and tells how long it is until then, now being nanoseconds since the fleet's start.
func (t *turnstile) wait(now int64) time.Duration {
	if t.every == 0 {
		return 0
	}
	for {
		next := t.next.Load()
		turn := max(next, now)
		if t.next.CompareAndSwap(next, turn+int64(t.every)) {
			return time.Duration(turn - now)
		}
	}
}

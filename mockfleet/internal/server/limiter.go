package server

import (
	"sync/atomic"
	"time"
)

// limiter lets answers through at a rate, in the order in which they come to it: a fleet with a
// known limit, that a load can be held against.
type limiter struct {
	every time.Duration // from one answer to the next; 0 is as they come
	next  atomic.Int64  // when the next one may pass, in nanoseconds since the fleet's start
}

func newLimiter(perSecond float64) *limiter {
	l := &limiter{}
	if perSecond > 0 {
		l.every = time.Duration(float64(time.Second) / perSecond)
	}
	return l
}

// wait takes a turn, and tells how long it is until then, now being nanoseconds since the fleet's start.
func (l *limiter) wait(now int64) time.Duration {
	if l.every == 0 {
		return 0
	}
	for {
		next := l.next.Load()
		turn := max(next, now)
		if l.next.CompareAndSwap(next, turn+int64(l.every)) {
			return time.Duration(turn - now)
		}
	}
}

package server

import (
	"sync/atomic"
	"time"
)

// limiter lets responses out at a rate, in the order in which they ask. It gives a fleet a known
// capacity, with which the results of a load test can be compared.
type limiter struct {
	every time.Duration // between two responses; 0 is no limit
	next  atomic.Int64  // when the next one may leave, in nanoseconds since the server's start
}

func newLimiter(perSecond float64) *limiter {
	l := &limiter{}
	if perSecond > 0 {
		l.every = time.Duration(float64(time.Second) / perSecond)
	}
	return l
}

// wait takes the next turn, and returns how long it is until then. now is in nanoseconds since the
// server's start.
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

package rollout

import "time"

// A rateLimiter says when the next device may begin: a token bucket that is told the time. The zero
// value has no limit.
type rateLimiter struct {
	perSecond float64
	tokens    float64
	last      time.Time
}

// burst returns how many devices may begin at once. At high rates it is more than one, because
// timers are too coarse for waits of 20 µs.
func (a *rateLimiter) burst() float64 { return max(1, a.perSecond/100) }

// reserve takes a token and returns 0, or returns how long it will be until there is one.
func (a *rateLimiter) reserve(now time.Time) time.Duration {
	if a.perSecond == 0 {
		return 0
	}
	if a.last.IsZero() {
		a.tokens = 1
	} else {
		a.tokens = min(a.burst(), a.tokens+a.perSecond*now.Sub(a.last).Seconds())
	}
	a.last = now
	// A nanosecond's rounding must not cost a second wait.
	if missing := 1 - a.tokens; missing > 1e-6 {
		return max(1, time.Duration(missing/a.perSecond*float64(time.Second)))
	}
	a.tokens--
	return 0
}

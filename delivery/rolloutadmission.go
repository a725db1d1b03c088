package delivery

import "time"

// admission says when the next device may begin: a token bucket, as a function of the
// time that it is told. The zero value knows no limit.
type admission struct {
	perSecond float64
	tokens    float64
	last      time.Time
}

// burst is how many may begin at once: timers are too coarse to tell 20 µs.
func (a *admission) burst() float64 { return max(1, a.perSecond/100) }

// take takes a token and gives 0, or gives how long it will be until there is one.
func (a *admission) take(now time.Time) time.Duration {
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

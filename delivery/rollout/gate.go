package rollout

import (
	"context"
	"sync"
	"time"
)

// gate holds a rollout's devices back while it is paused.
type gate struct {
	mu      sync.Mutex
	shut    bool
	changed chan struct{} // closed at the next change; nil until somebody waits for one
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == shut {
		return
	}
	g.shut = shut
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

func (g *gate) look() (shut bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.shut, g.changed
}

// pass waits until the gate is open, and gives what is closed when that may have
// changed. It reports false when the context ended first.
func (g *gate) pass(ctx context.Context) (changed <-chan struct{}, ok bool) {
	for {
		shut, changed := g.look()
		if !shut {
			return changed, ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

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

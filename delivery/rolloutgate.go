package delivery

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

// pace says when the next device may begin: a token bucket, as a function of the
// time that it is told. The zero value knows no limit.
type pace struct {
	perSecond float64
	tokens    float64
	last      time.Time
}

// burst is how many may begin at once: timers are too coarse to tell 20 µs.
func (p *pace) burst() float64 { return max(1, p.perSecond/100) }

// take takes a token and gives 0, or gives how long it will be until there is one.
func (p *pace) take(now time.Time) time.Duration {
	if p.perSecond == 0 {
		return 0
	}
	if p.last.IsZero() {
		p.tokens = 1
	} else {
		p.tokens = min(p.burst(), p.tokens+p.perSecond*now.Sub(p.last).Seconds())
	}
	p.last = now
	// A nanosecond's rounding must not cost a second wait.
	if missing := 1 - p.tokens; missing > 1e-6 {
		return max(1, time.Duration(missing/p.perSecond*float64(time.Second)))
	}
	p.tokens--
	return 0
}

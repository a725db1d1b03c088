package delivery

import (
	"context"
	"sync"
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

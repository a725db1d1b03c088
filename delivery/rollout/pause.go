package rollout

import (
	"context"
	"sync"
)

// A pauser holds devices back while the rollout is paused.
type pauser struct {
	mu      sync.Mutex
	paused  bool
	changed chan struct{} // closed at the next change; nil until a caller asks for it
}

// set pauses or resumes the rollout.
func (p *pauser) set(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused == paused {
		return
	}
	p.paused = paused
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// state reports whether the rollout is paused, and returns a channel that is closed when that
// changes.
func (p *pauser) state() (paused bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.paused, p.changed
}

// wait waits until the rollout isn't paused. It returns a channel that is closed at the next Pause,
// and reports false if the context ended first.
func (p *pauser) wait(ctx context.Context) (changed <-chan struct{}, ok bool) {
	for {
		paused, changed := p.state()
		if !paused {
			return changed, ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

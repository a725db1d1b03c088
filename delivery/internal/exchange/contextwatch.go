package exchange

import "context"

// ContextWatch calls a function when a context ends, without a goroutine for each request. Starting
// a watch allocates, so if the same context comes again, its watch goes on between requests. A
// ContextWatch is not safe for concurrent use.
type ContextWatch struct {
	onEnd   func()
	watched <-chan struct{} // Done of the context that is watched; nil: none
	last    <-chan struct{} // Done of the context watched last
	keep    bool            // the same context came twice
	stop    func() bool
	fired   bool // a watch called onEnd, which may still be running
}

// NewContextWatch returns a watch that calls onEnd, in a goroutine of its own.
func NewContextWatch(onEnd func()) ContextWatch { return ContextWatch{onEnd: onEnd} }

// MaySwitch prepares for watching ctx: it ends the watch of any other context. It reports false if
// that other context has ended meanwhile; onEnd was called then, or is about to be.
func (w *ContextWatch) MaySwitch(ctx context.Context) bool {
	return w.watched == nil || w.watched == ctx.Done() || w.Stop()
}

// Start watches ctx. No other context may be watched.
func (w *ContextWatch) Start(ctx context.Context) {
	done := ctx.Done()
	if done == nil || w.watched == done {
		return
	}
	w.keep = w.last == done
	w.watched, w.last = done, done
	w.stop = context.AfterFunc(ctx, w.onEnd)
}

// Done returns the Done channel of the context that is watched. It returns nil if there is none.
func (w *ContextWatch) Done() <-chan struct{} { return w.watched }

// Stop ends the watch. It reports whether onEnd was never called.
func (w *ContextWatch) Stop() bool {
	if w.watched == nil {
		return !w.fired
	}
	w.watched = nil
	if !w.stop() {
		w.fired = true
	}
	return !w.fired
}

// Rest is called when a request is over. It ends the watch unless the same context may come again,
// and reports whether onEnd was never called.
func (w *ContextWatch) Rest() bool { return w.keep || w.Stop() }

// Reset ends the watch and forgets the contexts. It reports whether onEnd was never called.
func (w *ContextWatch) Reset() bool {
	w.Stop()
	w.last, w.keep, w.stop = nil, false, nil
	return !w.fired
}

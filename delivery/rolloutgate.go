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

// byteRate shares a number of bytes a second among uploads: each piece is given the time
// when it may go out. It is safe for concurrent use.
type byteRate struct {
	perSecond float64

	mu   sync.Mutex
	next time.Time // when the next piece may go out
}

// newByteRate returns nil for 0: no limit.
func newByteRate(perSecond int64) *byteRate {
	if perSecond == 0 {
		return nil
	}
	return &byteRate{perSecond: float64(perSecond)}
}

// piece is how much of an artifact goes out at once, in bytes: a twentieth of a second's.
func (r *byteRate) piece() int64 {
	return min(max(int64(r.perSecond/20), 1<<10), chunkSize)
}

// take reserves n bytes, and returns how long it is until they may go out.
func (r *byteRate) take(now time.Time, n int64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := max(0, r.next.Sub(now))
	r.next = now.Add(wait + time.Duration(float64(n)/r.perSecond*float64(time.Second)))
	return wait
}

type byteRateKey struct{}

// withByteRate makes the pushes of a context keep to a rate.
func withByteRate(ctx context.Context, r *byteRate) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, byteRateKey{}, r)
}

func byteRateOf(ctx context.Context) *byteRate {
	r, _ := ctx.Value(byteRateKey{}).(*byteRate)
	return r
}

// holdFirst waits until the part of a body that goes out with the head may.
func (l *lean) holdFirst(ctx context.Context, x *exchange) error {
	if x.rate == nil || x.body == nil {
		return nil
	}
	wait := x.rate.take(time.Now(), min(x.body.size, oneWrite))
	if wait > 0 && !wakeAfter(ctx, wait, nil) {
		return &exchangeError{phase: phaseConnect, err: ctx.Err()}
	}
	return nil
}

// hold waits until another piece of the upload may go out, and returns how much that is.
// The wait counts neither against the device's progress nor against the request's time. A
// device that answers meanwhile is heard.
func (l *lean) hold(c *conn, x *exchange, n int64) (int64, error) {
	if x.rate == nil {
		return n, nil
	}
	n = min(n, x.rate.piece())
	wait := x.rate.take(time.Now(), n)
	x.deadline, c.sendBy, c.pace.since = x.deadline.Add(wait), c.sendBy.Add(wait), c.pace.since.Add(wait)
	for wait > 0 {
		slice := min(wait, lookEvery)
		wait -= slice
		if !sleep(slice, c.armed) {
			return 0, context.Canceled
		}
		if err := c.endBy(earlier(c.sendBy, time.Now().Add(c.pace.look()))); err != nil {
			return 0, err
		}
		if wait > 0 && c.answered() {
			return 0, errAnswered
		}
	}
	return n, nil
}

// hold waits until another piece of the body may go out, and returns how much that is. b.mu
// is held, but not while it waits: the operation may end meanwhile.
func (b *requestBody) hold(n int64) (int64, error) {
	if b.rate == nil {
		return n, nil
	}
	n = min(n, b.rate.piece())
	wait, from := b.rate.take(time.Now(), n), b.from
	b.timer.hold(wait)
	for wait > 0 {
		slice := min(wait, 20*time.Millisecond)
		wait -= slice
		b.mu.Unlock()
		time.Sleep(slice)
		b.mu.Lock()
		if b.from != from || b.timer.hasEnded() {
			return 0, errDetached
		}
	}
	return n, nil
}

// hasEnded reports whether the request is over, or was ended: net/http waits for its body
// to be let go of.
func (k *requestTimer) hasEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.finished
}

// hold puts off what the timer would end the request for, by a wait that is ours.
func (k *requestTimer) hold(wait time.Duration) {
	if wait == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished {
		return
	}
	k.requestDeadline, k.began, k.pace.since = k.requestDeadline.Add(wait), k.began.Add(wait), k.pace.since.Add(wait)
	k.reset(time.Now())
}

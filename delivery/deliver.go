package delivery

import (
	"context"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Report says what a Deliver did.
type Report struct {
	Pushes   int // attempts to push; one may have sent nothing
	Verifies int // attempts to verify, likewise
	// Push and Verify are how long the last attempt of each kind took, with its connect and
	// the redirects that it followed; waits between attempts are not counted.
	Push, Verify time.Duration
	// Waited is the time between requests: backoff, and polls of a device that installs.
	Waited time.Duration
}

// Retries is the number of requests beyond one push and one verification.
func (r Report) Retries() int {
	return max(0, r.Pushes-1) + max(0, r.Verifies-1)
}

// Deliver pushes the update and verifies it, and tries again within Config.Retry. It returns a nil
// error if the device was seen to run the update, and otherwise the *Error that ended the attempts.
//
// An update that may have been applied is never pushed again on suspicion: after an ambiguous
// failure Deliver verifies, and pushes again only if the device answers that it lacks the update,
// or that its install failed (RFC 9110 §9.2.2). An error of ClassIntegrity is also ErrQuarantined.
func (c *Client) Deliver(ctx context.Context, d Device, u *Update) (Report, error) {
	r := delivering{client: c, device: d, update: u, yield: pacing.YieldOf(ctx)}
	if e := c.admit(OpPush, d); e != nil {
		return r.report, e
	}
	e := r.run(ctx)
	c.record(ctx, d, e)
	if e != nil {
		return r.report, e.ofDelivery()
	}
	c.budget.success(time.Now())
	return r.report, nil
}

// delivering is one Deliver under way.
type delivering struct {
	client *Client
	device Device
	update *Update
	yield  *pacing.Yield // nil: nobody else wants the worker
	report Report
	waits  int // backoffs so far, which widen the next
	// The next push needs a connection of its own. A connection that was kept alive, such as the
	// one of the last verification, may not carry a push, because some devices serve one request
	// per connection without saying so. If a push over a connection of its own breaks off, the next
	// one may use an idle connection again, because other devices refuse every other connection.
	fresh bool
}

func (r *delivering) run(ctx context.Context) *Error {
	s := settlement{retry: r.client.cfg.Retry}
	for a := s.begin(); ; {
		if e := r.pause(ctx, a); e != nil {
			return s.interrupted(e, ctx.Err() != nil)
		}
		var e *Error
		switch a.do {
		case stepPush:
			e = r.push(ctx)
		case stepLook:
			e = r.verify(ctx)
		case stepEnd:
			return a.err
		}
		a = s.next(e, time.Now(), ctx.Err() != nil)
	}
}

// pause waits until it is time for an action.
func (r *delivering) pause(ctx context.Context, a action) *Error {
	if a.retries != nil {
		return r.backOff(ctx, a.retries)
	}
	return r.wait(ctx, OpVerify, a.after)
}

func (r *delivering) push(ctx context.Context) *Error {
	r.report.Pushes++
	started := time.Now()
	e := r.client.push(ctx, r.device, r.update, r.fresh)
	r.report.Push = time.Since(started)
	if e != nil && e.sent && e.Status == 0 {
		r.fresh = !r.fresh
	}
	return e
}

func (r *delivering) verify(ctx context.Context) *Error {
	r.report.Verifies++
	started := time.Now()
	e := r.client.verify(ctx, r.device, r.update)
	r.report.Verify = time.Since(started)
	return e
}

// backOff waits before the next try, at least as long as the device asked for, within the policy's
// cap. It returns an error if there is no next try because the budget has no retry left.
func (r *delivering) backOff(ctx context.Context, after *Error) *Error {
	retry := r.client.cfg.Retry
	if r.yield != nil && r.yield.Later && after.Class.IsTransient() && after.RetryAfter > retry.Cap {
		return after // the rollout gives the device another turn at that time
	}
	started := time.Now()
	switch granted := r.takeRetry(ctx); {
	case !granted && ctx.Err() != nil:
		return ended(ctx, after.Op, r.device)
	case !granted:
		r.client.stats.refused.Add(1)
		after.budget = true
		return after
	}
	r.client.stats.retries.Add(1)
	r.waits++
	d := max(retry.Delay(r.waits, r.client.dice.draw()), min(after.RetryAfter, retry.Cap))
	return r.wait(ctx, after.Op, d-time.Since(started))
}

// takeRetry takes a retry from the budget. It waits for one if other devices can use the worker
// meanwhile.
func (r *delivering) takeRetry(ctx context.Context) bool {
	b, started := r.client.budget, time.Now()
	if (r.yield == nil || !b.isAwaited()) && b.retry(started) {
		return true
	}
	if r.yield == nil || !b.refills() {
		return false
	}
	defer func() { r.report.Waited += time.Since(started) }()
	return r.yield.While(b.await)
}

// wait waits for d. It returns an error early if the context ends.
func (r *delivering) wait(ctx context.Context, op Op, d time.Duration) *Error {
	if d <= 0 {
		return nil
	}
	started := time.Now()
	defer func() { r.report.Waited += time.Since(started) }()
	if !pacing.Sleep(d, ctx.Done()) {
		return ended(ctx, op, r.device)
	}
	return nil
}

// ended returns the error of an operation whose context ended between two requests.
func ended(ctx context.Context, op Op, d Device) *Error {
	return &Error{Op: op, Device: d.Name(), Class: classOfContext(ctx), Err: ctx.Err()}
}

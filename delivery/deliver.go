package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Report is what a Deliver did.
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

// and is the report of two things that were done one after the other.
func (r Report) and(next Report) Report {
	next.Pushes += r.Pushes
	next.Verifies += r.Verifies
	next.Waited += r.Waited
	next.Push, next.Verify = cmp.Or(next.Push, r.Push), cmp.Or(next.Verify, r.Verify)
	return next
}

// Deliver pushes the update and verifies it, and tries again within Config.Retry. It returns a nil
// error if the device was seen to run the update, and otherwise the *Error that ended the attempts.
//
// An update that may have been applied is never pushed again on suspicion: after an ambiguous
// failure Deliver verifies, and pushes again only if the device answers that it lacks the update,
// or that its install failed (RFC 9110 §9.2.2). An error of ClassIntegrity is also ErrQuarantined.
func (c *Client) Deliver(ctx context.Context, d Device, u *Update) (Report, error) {
	return c.deliver(ctx, d, u, nil)
}

// deliver is Deliver, as part of a rollout where there is a yield.
func (c *Client) deliver(ctx context.Context, d Device, u *Update, y *yield) (Report, error) {
	r := delivering{client: c, device: d, update: u, yield: y}
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
	yield  *yield // nil: nobody else wants the worker
	report Report
	waits  int // backoffs so far, which widen the next
	// The next push is to have a connection of its own. One that was kept alive, or the
	// one that a look left, may be what a push can't be brought over: some devices serve
	// one request a connection, without saying so. If a push over one of its own breaks off,
	// the next may use what the look left: other devices refuse every other connection.
	fresh bool
}

func (r *delivering) run(ctx context.Context) *Error {
	for {
		pushed := r.push(ctx)
		next := afterPush(pushed)
		if next == giveUp {
			return pushed
		}
		if next != pushAgain {
			seen := r.settle(ctx, next, pushed != nil && pushed.Class == ClassPending)
			if seen == nil {
				return nil
			}
			// Unless it turns out to run the update, or to be wrong in another way than
			// lacking it, the device's own word stands: it gives the reason.
			if pushed != nil && pushed.Class == ClassRefused && (seen.Class != ClassIntegrity || lacksUpdate(seen)) && ctx.Err() == nil {
				return pushed
			}
			// That nobody could be asked doesn't make it known that nothing was applied.
			if next == find && seen.Class == ClassNotSent {
				seen.Class = pushed.Class
			}
			// Only a device that answered, and lacks the update, is pushed to again, and not if it
			// had said that it applied it. Nor is one that ran it and went back: it would again.
			if next == confirm || !lacksUpdate(seen) {
				return seen
			}
			if pushed.Class == ClassPending { // what came of it is known now
				pushed = seen
			}
		}
		if r.report.Pushes >= r.client.cfg.Retry.MaxAttempts {
			return pushed
		}
		if e := r.backOff(ctx, pushed); e != nil {
			return e
		}
	}
}

// lacksUpdate reports whether a device was seen to lack the update, and not to have gone
// back from it.
func lacksUpdate(e *Error) bool {
	lacks := errors.Is(e.Err, ErrLacksUpdate) || errors.Is(e.Err, ErrDeviceFailed)
	return lacks && !errors.Is(e.Err, ErrRolledBack)
}

// step is what comes after a push.
type step uint8

const (
	giveUp    step = iota
	pushAgain      // the device can't have the update
	confirm        // it says that it has: see whether that is so
	find           // it may have it: find out
	await          // it is busy, with this update or another: wait, then find out
)

// afterPush is the policy, as a table.
func afterPush(e *Error) step {
	if e == nil {
		return confirm
	}
	switch e.Class {
	case ClassPending, ClassConflict:
		return await
	case ClassNotSent, ClassThrottled:
		return pushAgain
	case ClassTimeout, ClassAmbiguous, ClassProtocol:
		if !e.sent {
			return pushAgain
		}
		return find
	case ClassRefused:
		return find // it may have it from before, or not know what success is
	default:
		return giveUp
	}
}

// settle verifies until the device says what it runs. It returns nil if the device runs the update
// and said so as often as Retry.GoodReads asks. A device that is known to install, or that can't be reached
// after it said that it applied the update, may be gone while it reboots: then a failure is looked
// at again as its own word would be, until PollFor.
//
// A device that is gone after a push whose answer was lost (find) may be rebooting with
// the update too, but nothing that was seen says so: one that went offline before the push
// resets a kept-alive connection, or falls silent, in the same way. Were it waited for, an
// outage would hold every worker for PollFor. So it has MaxAttempts looks, and ends as
// what the last look was, or as its push if that look sent nothing; it is not pushed to again, and whoever comes back later asks first.
// As soon as it has said that it installs, or that it runs the update, it has PollFor.
func (r *delivering) settle(ctx context.Context, why step, installs bool) *Error {
	retry := r.client.cfg.Retry
	if why == await {
		if e := r.wait(ctx, OpVerify, retry.Poll); e != nil {
			return e
		}
	}
	started := time.Now()
	looks := versionChecks{outage: installs}
	for failures := 0; ; {
		seen := r.verify(ctx)
		pause := retry.Poll
		if looks.settle(seen, retry.GoodReads) {
			return nil
		}
		switch {
		case seen == nil:
		case ctx.Err() != nil:
			return seen
		case seen.Class == ClassPending:
			installs = true
		case seen.gone():
			installs = installs || why == confirm || looks.ran
		case !seen.lookAgain():
			return seen
		}
		if seen != nil && !installs {
			if failures++; failures >= retry.MaxAttempts {
				return seen
			}
			if e := r.backOff(ctx, seen); e != nil {
				return e
			}
			continue
		}
		if seen != nil {
			if time.Since(started) >= retry.PollFor {
				return seen.stillGone()
			}
			pause = max(pause, min(seen.RetryAfter, retry.Cap))
		}
		if e := r.wait(ctx, OpVerify, pause); e != nil {
			return e
		}
	}
}

// versionChecks are what the looks at a device have shown, until it is settled what it runs.
type versionChecks struct {
	consecutive int  // looks in a row that found it running the update
	ran         bool // it said that it runs the update, in this row or before
	outage      bool // it installed or was gone: it may come up right, and then go back
}

// settle takes what one more look saw, and reports whether it is settled that the device runs the
// update. Any other end of a look ends the row: a device that couldn't be reached, or answered 500,
// may have rebooted since. Of a device that ran the update and went back, the error says so.
func (s *versionChecks) settle(seen *Error, goodReads int) bool {
	if seen == nil {
		s.consecutive++
		s.ran = true
		return s.consecutive >= goodReads && (s.consecutive > 1 || !s.outage)
	}
	s.consecutive = 0
	switch {
	case seen.Class == ClassPending, seen.gone():
		s.outage = true
	case s.ran && seen.Class == ClassIntegrity:
		seen.Err = fmt.Errorf("%w: %w", ErrRolledBack, seen.Err)
	}
	return false
}

// lookAgain reports a failure to verify that another look may not meet.
func (e *Error) lookAgain() bool {
	switch e.Class {
	case ClassPending, ClassNotSent, ClassTimeout, ClassAmbiguous, ClassThrottled, ClassProtocol:
		return true
	default:
		return false
	}
}

// gone reports a failure that a device which reboots would show: no answer at all.
func (e *Error) gone() bool {
	return e.Status == 0 && (e.Class == ClassNotSent || e.Class == ClassTimeout || e.Class == ClassAmbiguous)
}

var errNotBack = errors.New("device has not come back from its reboot")

// stillGone is what a device that never came back from its reboot ends with.
func (e *Error) stillGone() *Error {
	if !e.gone() {
		return e
	}
	return &Error{Op: e.Op, Device: e.Device, Class: ClassPending, Err: fmt.Errorf("%w: %w", errNotBack, e.Err), sent: e.sent}
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

// backOff waits before the next try, and as long as the device asked for at least,
// within the policy's cap. Without a retry in the budget there is no next try.
func (r *delivering) backOff(ctx context.Context, after *Error) *Error {
	retry := r.client.cfg.Retry
	if r.yield != nil && r.yield.later && after.Class.mayHeal() && after.RetryAfter > retry.Cap {
		return after // the device has another turn when it wants it
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

// takeRetry takes a retry from the budget, and waits for one where others can have the worker.
func (r *delivering) takeRetry(ctx context.Context) bool {
	b, started := r.client.budget, time.Now()
	if (r.yield == nil || !b.isAwaited()) && b.retry(started) {
		return true
	}
	if r.yield == nil || !b.refills() {
		return false
	}
	defer func() { r.report.Waited += time.Since(started) }()
	return r.yield.while(b.await)
}

// wait returns early, with an error, when the context ends.
func (r *delivering) wait(ctx context.Context, op Op, d time.Duration) *Error {
	if d <= 0 {
		return nil
	}
	started := time.Now()
	defer func() { r.report.Waited += time.Since(started) }()
	if !sleep(d, ctx.Done()) {
		return ended(ctx, op, r.device)
	}
	return nil
}

// ended is the failure of an operation whose context ended between two requests.
func ended(ctx context.Context, op Op, d Device) *Error {
	class, _ := classOfFailure(ctx, ctx.Err())
	return &Error{Op: op, Device: d.name(), Class: class, Err: ctx.Err()}
}

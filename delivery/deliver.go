package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Report is what a Deliver did.
type Report struct {
	Pushes   int // requests that pushed
	Verifies int // requests that verified
	// Push and Verify are how long the last request of each kind took, request to
	// answer, retries and waits not counted.
	Push, Verify time.Duration
	// Waited is the time between requests: backoff, and polls of a device that installs.
	Waited time.Duration
}

// Retries is the number of requests beyond one push and one verification.
func (r Report) Retries() int {
	return max(0, r.Pushes-1) + max(0, r.Verifies-1)
}

// Deliver pushes the update and verifies it, and tries again within Config.Retry.
// nil means that the device was seen to run the update; everything else is the
// *Error that ended it.
//
// An update that may have been applied is never pushed again on suspicion: after
// an ambiguous failure Deliver verifies, and pushes again only if the device
// answers that it lacks the update (RFC 9110 §9.2.2). An error of ClassIntegrity is
// also ErrQuarantined.
func (c *Client) Deliver(ctx context.Context, d Device, u *Update) (Report, error) {
	r := delivering{client: c, device: d, update: u}
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
	report Report
	waits  int // backoffs so far, which widen the next
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
			// That nobody could be asked doesn't make it known that nothing was applied.
			if next == find && seen.Class == ClassNotSent {
				seen.Class = pushed.Class
			}
			// Only a device that answered, and lacks the update, is pushed to again, and
			// not if it had said that it applied it.
			// Nor is one that ran it and went back: it would again.
			lacks := errors.Is(seen.Err, ErrLacksUpdate) || errors.Is(seen.Err, ErrDeviceFailed)
			if next == confirm || !lacks || errors.Is(seen.Err, ErrRolledBack) {
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
	default:
		return giveUp
	}
}

// settle verifies until the device says what it runs. nil means that it runs the
// update, and said so as often as Retry.GoodReads asks. A device that is known to
// install, or that can't be reached after it said that it applied the update, may be
// gone while it reboots: then a failure is looked at again as its own word would be,
// until PollFor.
//
// A device that is gone after a push whose answer was lost (find) may be rebooting with
// the update too, but nothing that was seen says so: one that went offline before the push
// resets a kept-alive connection, or falls silent, in the same way. Were it waited for, an
// outage would hold every worker for PollFor. So it has MaxAttempts looks, and ends as
// what its push was; it is not pushed to again, and whoever comes back later asks first.
// As soon as it has said that it installs, or that it runs the update, it has PollFor.
func (r *delivering) settle(ctx context.Context, why step, installs bool) *Error {
	retry := r.client.cfg.Retry
	if why == await {
		if e := r.wait(ctx, OpVerify, retry.Poll); e != nil {
			return e
		}
	}
	started := time.Now()
	looks := sightings{rebooted: installs}
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
			installs = installs || why == confirm || looks.good > 0
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

// sightings are what the looks at a device have shown, until it is settled what it runs.
type sightings struct {
	good     int  // answers in a row that it runs the update
	rebooted bool // it installed or was gone: it may come up right, and then go back
}

// settle takes what one more look saw, and reports whether it is settled that the
// device runs the update. Of a device that ran it and went back, the error says so.
func (s *sightings) settle(seen *Error, goodReads int) bool {
	switch {
	case seen == nil:
		s.good++
		return s.good >= goodReads && (s.good > 1 || !s.rebooted)
	case seen.Class == ClassPending:
		s.good, s.rebooted = 0, true
	case seen.gone():
		s.rebooted = true
	case s.good > 0 && seen.Class == ClassIntegrity:
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
	e := r.client.push(ctx, r.device, r.update)
	r.report.Push = time.Since(started)
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
	if !r.client.budget.retry(time.Now()) {
		r.client.stats.refused.Add(1)
		after.budget = true
		return after
	}
	r.client.stats.retries.Add(1)
	retry := r.client.cfg.Retry
	r.waits++
	d := max(retry.Delay(r.waits, r.client.dice.draw()), min(after.RetryAfter, retry.Cap))
	return r.wait(ctx, after.Op, d)
}

// wait returns early, with an error, when the context ends.
func (r *delivering) wait(ctx context.Context, op Op, d time.Duration) *Error {
	if d <= 0 {
		return nil
	}
	started := time.Now()
	defer func() { r.report.Waited += time.Since(started) }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx, op, r.device)
	}
}

// ended is the failure of an operation whose context ended between two requests.
func ended(ctx context.Context, op Op, d Device) *Error {
	class, _ := classOfFailure(ctx, ctx.Err())
	return &Error{Op: op, Device: d.name(), Class: class, Err: ctx.Err()}
}

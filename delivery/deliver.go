package delivery

import (
	"context"
	"errors"
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
// answers that it lacks the update (RFC 9110 §9.2.2).
func (c *Client) Deliver(ctx context.Context, d Device, u *Update) (Report, error) {
	r := delivering{client: c, device: d, update: u}
	if e := r.run(ctx); e != nil {
		return r.report, e
	}
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
			// Only a device that answered, and lacks the update, is pushed to again, and
			// not if it had said that it applied it.
			if next == confirm || !errors.Is(seen.Err, ErrLacksUpdate) && !errors.Is(seen.Err, ErrDeviceFailed) {
				return seen
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
// update. A device that is known to install may be gone while it reboots: then a
// failure is looked at again as its own word would be, until PollFor.
func (r *delivering) settle(ctx context.Context, why step, installs bool) *Error {
	if why == await {
		if e := r.wait(ctx, OpVerify, r.client.cfg.Retry.Poll); e != nil {
			return e
		}
	}
	started := time.Now()
	for failures := 0; ; {
		seen := r.verify(ctx)
		if seen == nil {
			return nil
		}
		var e *Error
		switch seen.Class {
		case ClassPending:
			installs = true
			if time.Since(started) >= r.client.cfg.Retry.PollFor {
				return seen
			}
			e = r.wait(ctx, OpVerify, r.client.cfg.Retry.Poll)
		case ClassNotSent, ClassTimeout, ClassAmbiguous, ClassThrottled, ClassProtocol:
			if installs {
				if ctx.Err() != nil || time.Since(started) >= r.client.cfg.Retry.PollFor {
					return seen
				}
				e = r.wait(ctx, OpVerify, max(r.client.cfg.Retry.Poll, min(seen.RetryAfter, r.client.cfg.Retry.Cap)))
				break
			}
			if failures++; failures >= r.client.cfg.Retry.MaxAttempts || ctx.Err() != nil {
				return seen
			}
			e = r.backOff(ctx, seen)
		default:
			return seen
		}
		if e != nil {
			return e
		}
	}
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
// within the policy's cap.
func (r *delivering) backOff(ctx context.Context, after *Error) *Error {
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
		class, _ := classOfFailure(ctx, ctx.Err())
		return &Error{Op: op, Device: r.device.name(), Class: class, Err: ctx.Err()}
	}
}

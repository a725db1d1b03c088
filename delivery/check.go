package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// CheckOptions says what is known about a device that [Client.Check] is about to ask. The zero
// value stands for a device that the update wasn't pushed to.
type CheckOptions struct {
	// Pushed says that the update was pushed to the device before, so that the device may run it at
	// first and then roll back. The device must then say that it runs the update as often as after
	// the push of a Deliver: see Retry.GoodReads. If Pushed isn't set, once is enough.
	Pushed bool
	// MayBeRebooting says that nobody knows how a push to the device ended, so that the device may
	// be rebooting with the update. If it doesn't answer at all, it is asked until Retry.PollFor is
	// over, like a device that says that it is installing. MayBeRebooting implies Pushed. Set it
	// for only one Check of a device, because the device may be gone for good.
	MayBeRebooting bool
}

// Check asks the device whether it runs the update, and pushes nothing. It is for a device that may
// have the update already, because a push to it ended in an unknown way or because somebody else
// updated it. Check returns a nil error if the device runs the update. [LacksUpdate] reports
// whether the error means that the device may be pushed to. Any other *Error means that it isn't
// known what the device runs, or that the device should be left alone; in the latter case the error
// is of ClassIntegrity and also ErrQuarantined.
//
// A device that fails to answer is asked Retry.MaxAttempts times, with the waits of Retry between.
// A device that is installing or rebooting is asked every Retry.Poll, for Retry.PollFor at most.
// Neither counts against the [RetryBudget]. The device's [Breaker] counts the whole Check as one
// operation.
//
// The report says how often the device was asked, how long the last request took, and how long
// Check waited between requests.
func (c *Client) Check(ctx context.Context, d Device, u *Update, opts CheckOptions) (Report, error) {
	// The breaker counts the whole Check as one operation. If it counted each request, it would
	// open while the device reboots, and refuse the requests that wait for the device.
	if e := c.admit(OpVerify, d); e != nil {
		return Report{}, e
	}
	var report Report
	seen, e := checking{c, c.cfg.Retry, c.dice}.run(ctx, d, u, opts, &report)
	c.record(ctx, d, seen)
	if e != nil {
		return report, e
	}
	return report, nil
}

// LacksUpdate reports whether err, from [Client.Check] or Verify, means that the device may be
// pushed to: it answered, and either runs another version or failed to install the update. It
// returns false for a device that ran the update and rolled back, because it would do so again.
func LacksUpdate(err error) bool {
	lacks := errors.Is(err, ErrLacksUpdate) || errors.Is(err, ErrDeviceFailed)
	return lacks && !errors.Is(err, ErrRolledBack)
}

// checking holds what a Check needs from its client.
type checking struct {
	client interface {
		verify(ctx context.Context, d Device, u *Update) *Error
	}
	retry Retry
	dice  *dice
}

// run verifies until it is known whether the device runs the update. It returns what the last
// verification showed, for the breaker, and the error that the Check ends with.
func (k checking) run(ctx context.Context, d Device, u *Update, opts CheckOptions, report *Report) (seen, e *Error) {
	started, patient, strict := time.Now(), opts.MayBeRebooting, opts.MayBeRebooting || opts.Pushed
	var looks versionChecks
	for failures := 0; ; {
		report.Verifies++
		asked := time.Now()
		seen = k.client.verify(ctx, d, u)
		report.Verify = time.Since(asked)
		if looks.settle(seen, k.retry.GoodReads) || seen == nil && !strict {
			return nil, nil
		}
		wait := k.retry.Poll
		switch {
		case seen == nil: // not often enough yet
		case LacksUpdate(seen):
			return seen, seen
		case errors.Is(seen, ErrRolledBack):
			return seen, seen.ofDelivery()
		case ctx.Err() != nil:
			return seen, seen
		case seen.Class == ClassPending, patient && seen.gone(): // it may be installing this very update
			patient = true
			if time.Since(started) >= k.retry.PollFor {
				return seen, seen
			}
			wait = max(wait, min(seen.RetryAfter, k.retry.Cap))
		case seen.lookAgain():
			if failures++; failures >= k.retry.MaxAttempts {
				return seen, seen
			}
			wait = max(k.retry.Delay(failures, k.dice.draw()), min(seen.RetryAfter, k.retry.Cap))
		default:
			return seen, seen.ofDelivery()
		}
		waiting := time.Now()
		ok := pacing.Wait(ctx, wait, nil)
		report.Waited += time.Since(waiting)
		switch {
		case !ok && seen == nil:
			return nil, ended(ctx, OpVerify, d)
		case !ok:
			return seen, seen
		}
	}
}

package delivery

import (
	"context"
	"errors"
	"time"
)

// ask finds out whether a device runs the update, before it is pushed to. An error
// means that this is not known, or that the device should not be pushed to at all.
//
// A device that the run before had under way and that doesn't answer at all may be
// rebooting with the update: as in a Deliver, it has until Retry.PollFor to come back.
// Only once: were every run that is killed followed by one that waits, devices that are
// gone for good would in the end hold all workers.
func (r *Rollout) ask(ctx context.Context, t turn, report *Report) (has bool, err error) {
	started := time.Now()
	for failures := 0; ; {
		report.Verifies++
		asked := time.Now()
		err := r.to.Verify(ctx, t.device, r.update)
		report.Verify = time.Since(asked)
		var wait time.Duration
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, ErrLacksUpdate), errors.Is(err, ErrDeviceFailed):
			return false, nil
		case ctx.Err() != nil:
			return false, err
		}
		class := ClassOf(err)
		if e, ok := errors.AsType[*Error](err); ok && t.begun && e.gone() {
			class = ClassPending
		}
		switch class {
		case ClassPending: // perhaps with this very update, from the run before
			if time.Since(started) >= r.retry.PollFor {
				return false, err
			}
			wait = r.retry.Poll
		case ClassNotSent, ClassTimeout, ClassAmbiguous, ClassThrottled, ClassProtocol:
			if failures++; failures >= r.retry.MaxAttempts {
				return false, err
			}
			wait = max(r.retry.Delay(failures, r.draw()), min(askedFor(err), r.retry.Cap))
		default:
			return false, err
		}
		waiting := time.Now()
		ok := wakeAfter(ctx, wait, nil)
		report.Waited += time.Since(waiting)
		if !ok {
			return false, err
		}
	}
}

// askedFor is the pause that the device asked for.
func askedFor(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

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
// gone for good would in the end hold all workers. And as in a Deliver its word counts
// when it has given it often enough: it may come up right, and then go back. Any other
// device was not pushed to meanwhile; its word counts at once.
func (r *Rollout) ask(ctx context.Context, t turn, report *Report) (has bool, err error) {
	started := time.Now()
	var looks sightings
	for failures := 0; ; {
		report.Verifies++
		asked := time.Now()
		err := r.to.Verify(ctx, t.device, r.update)
		report.Verify = time.Since(asked)
		e, ours := errors.AsType[*Error](err)
		if err != nil && !ours {
			return false, err
		}
		if looks.settle(e, r.retry.GoodReads) || e == nil && !t.begun {
			return true, nil
		}
		wait := r.retry.Poll
		switch {
		case e == nil: // not often enough yet
		case errors.Is(e, ErrRolledBack): // it would again
			return false, e.ofDelivery()
		case errors.Is(e, ErrLacksUpdate), errors.Is(e, ErrDeviceFailed):
			return false, nil
		case ctx.Err() != nil:
			return false, e
		case e.Class == ClassPending, t.begun && e.gone(): // perhaps with this very update, from the run before
			if time.Since(started) >= r.retry.PollFor {
				return false, e
			}
		case e.lookAgain():
			if failures++; failures >= r.retry.MaxAttempts {
				return false, e
			}
			wait = max(r.retry.Delay(failures, r.draw()), min(e.RetryAfter, r.retry.Cap))
		default:
			return false, e.ofDelivery()
		}
		waiting := time.Now()
		ok := wakeAfter(ctx, wait, nil)
		report.Waited += time.Since(waiting)
		switch {
		case !ok && e == nil:
			return false, ended(ctx, OpVerify, t.device)
		case !ok:
			return false, e
		}
	}
}

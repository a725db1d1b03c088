package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// ask finds out whether a device runs the update, before it is pushed to. An error
// means that this is not known, or that the device should not be pushed to at all.
//
// A device that the run before had under way and that doesn't answer at all may be rebooting with
// the update: as in a Deliver, it has until Retry.PollFor to come back. Only once: were every run
// that is killed followed by one that waits, devices that are gone for good would in the end hold
// all workers. And as in a Deliver its word counts when it has given it often enough: it may come
// up right, and then go back. So does that of a device that this run pushed to in an earlier turn.
// Any other device was not pushed to meanwhile; its word counts at once.
//
// All looks are one operation to the device's breaker, as those of a Deliver are. Were each
// one its own, the breaker would open over a device that reboots, and keep the looks from it.
func (r *Rollout) ask(ctx context.Context, t turn, report *Report) (has bool, e *Error) {
	if e := r.to.admit(OpVerify, t.device); e != nil {
		return false, e
	}
	has, seen, e := r.look(ctx, t, report)
	r.to.record(ctx, t.device, seen)
	return has, e
}

// look looks at a device until ask has its answer, and returns what the last look saw, too.
func (r *Rollout) look(ctx context.Context, t turn, report *Report) (has bool, seen, e *Error) {
	started, patient, strict := time.Now(), t.begun, t.begun || t.report.Pushes > 0
	var looks sightings
	for failures := 0; ; {
		report.Verifies++
		asked := time.Now()
		seen = r.to.verify(ctx, t.device, t.update)
		report.Verify = time.Since(asked)
		if looks.settle(seen, r.retry.GoodReads) || seen == nil && !strict {
			return true, nil, nil
		}
		wait := r.retry.Poll
		switch {
		case seen == nil: // not often enough yet
		case errors.Is(seen, ErrRolledBack): // it would again
			return false, seen, seen.ofDelivery()
		case errors.Is(seen, ErrLacksUpdate), errors.Is(seen, ErrDeviceFailed):
			return false, seen, nil
		case ctx.Err() != nil:
			return false, seen, seen
		case seen.Class == ClassPending, patient && seen.gone(): // perhaps with this very update, from the run before
			patient = true
			if time.Since(started) >= r.retry.PollFor {
				return false, seen, seen
			}
			wait = max(wait, min(seen.RetryAfter, r.retry.Cap))
		case seen.lookAgain():
			if failures++; failures >= r.retry.MaxAttempts {
				return false, seen, seen
			}
			wait = max(r.retry.Delay(failures, r.draw()), min(seen.RetryAfter, r.retry.Cap))
		default:
			return false, seen, seen.ofDelivery()
		}
		waiting := time.Now()
		ok := wakeAfter(ctx, wait, nil)
		report.Waited += time.Since(waiting)
		switch {
		case !ok && seen == nil:
			return false, nil, ended(ctx, OpVerify, t.device)
		case !ok:
			return false, seen, seen
		}
	}
}

// ready works out what a device's turn is about, and returns what is known of that piece
// of work: of a device and an update.
func (r *Rollout) ready(t *turn) mark {
	t.work = t.key
	known := r.marks[t.key]
	if known == markSeen {
		return known
	}
	if r.cfg.Labels != nil {
		t.labels = r.cfg.Labels(t.device)
	}
	t.update = r.update
	if r.cfg.UpdateFor == nil {
		return known
	}
	u, err := r.cfg.UpdateFor(t.device)
	switch {
	case err != nil:
		t.unable = fmt.Errorf("update for the device: %w", err)
		return 0
	case u != nil:
		t.update = u
	case t.update == nil:
		t.unable = errNoUpdate
		return 0
	}
	if r.update != nil && t.update.key == r.update.key {
		return known
	}
	t.own = t.update.key
	t.work = workKey(t.key, t.own)
	return r.marks[t.work]
}

// workKey stands for a device and an update that isn't the rollout's own, in what a
// rollout remembers. The journal has the two beside one another.
func workKey(device deviceKey, update string) deviceKey {
	sum := sha256.Sum256(append(device[:], update...))
	return deviceKey(sum[:len(device)])
}

// noUpdate is the error of a device that has no update.
func (t turn) noUpdate() error {
	return &Error{Op: OpPush, Device: t.device.name(), Class: ClassPermanent, Err: t.unable}
}

// byDevice stands in a journal for the update of a rollout that has none of its own.
const byDevice = "by device"

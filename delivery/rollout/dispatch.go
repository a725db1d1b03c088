package rollout

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// pass goes through the sequence once and has the devices of the wave that is under way
// updated, whose places are from one on and below another. It returns when they are done.
func (r *Rollout) pass(ctx, stopping context.Context, devices iter.Seq[delivery.Device], from, to float64) {
	var workers sync.WaitGroup
	defer workers.Wait() // even if the sequence panics

	drawn := 0
	ctx = pacing.WithByteRate(ctx, r.bytes)
	rate := admission{perSecond: r.opts.PerSecond}
	line := r.newLine(stopping)
	line.start = func(t turn) admitted {
		got := r.admit(ctx, stopping, &rate, t)
		if got == begins {
			workers.Go(func() {
				r.bring(ctx, stopping, t)
				<-r.slots
				line.done(t)
			})
		}
		return got
	}
	defer line.end()
	for d := range devices {
		if stopping.Err() != nil {
			return
		}
		drawn++
		r.saw(drawn)
		key, place := endpoint.Fingerprint(d.ID, d.Address)
		if place < from || place >= to {
			continue
		}
		t := turn{device: d, key: key}
		before := r.ready(&t)
		if !r.hasTurn(key, before) {
			continue
		}
		t.begun = before == markBegun
		if before == markFailed && r.postpone(t) {
			continue
		}
		if !r.startDue(line) || !line.add(t) {
			return
		}
	}
	r.sawAll(drawn)
	r.startWaiting(stopping, line)
}

// saw counts what the sequence gives. Passes may differ: the longest counts.
func (r *Rollout) saw(drawn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drawn = max(r.drawn, drawn)
}

func (r *Rollout) sawAll(drawn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Counted = true
	if drawn == 0 && r.drawn > 0 {
		r.stop(ErrNotRepeatable)
	}
}

// hasTurn marks the device as seen, and reports whether it is to be updated, by what
// was known of it before.
func (r *Rollout) hasTurn(key endpoint.Key, before mark) bool {
	r.marks[key] = markSeen
	if before != markDone && before != markSeen {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before == markSeen {
		r.report.Duplicates++
		return false
	}
	r.report.DoneBefore++
	r.report.CurrentWave.DoneBefore++
	r.report.CurrentWave.Devices++
	return false
}

// admitted is what came of a turn that was to begin.
type admitted uint8

const (
	stopped admitted = iota // it doesn't, for the rollout is stopping
	closed                  // its window closed while it waited
	begins
)

// admit waits until a turn may begin: the rollout isn't paused, the wave's failures allow
// it, the rate does, and a worker is free.
func (r *Rollout) admit(ctx, stopping context.Context, rate *admission, t turn) admitted {
	allowed := false
	for {
		changed, ok := r.gate.pass(stopping)
		if !ok {
			return stopped
		}
		if !r.awaitCounts(stopping, changed, t) {
			continue
		}
		if !allowed {
			if wait := rate.take(time.Now()); wait > 0 {
				if !pacing.Wait(stopping, wait, changed) {
					return stopped
				}
				continue
			}
			allowed = true
		}
		select {
		case r.slots <- struct{}{}:
			open, _ := r.window(t.device)
			if open && r.begins(ctx, stopping, t) {
				return begins
			}
			<-r.slots
			if !open {
				return closed
			}
		case <-changed:
		case <-stopping.Done():
			return stopped
		}
	}
}

// awaitCounts reports whether a turn may begin by the wave's counts. If it may not, it waits
// until the counts may have changed, the gate has, or the rollout stops.
func (r *Rollout) awaitCounts(stopping context.Context, changed <-chan struct{}, t turn) bool {
	r.mu.Lock()
	may := r.mayBegin(t)
	r.mu.Unlock()
	if !may {
		select {
		case <-r.settled:
		case <-changed:
		case <-stopping.Done():
		}
	}
	return may
}

// begins counts a turn as begun, and reports false where it isn't to begin: the rollout was
// stopped or paused while a worker was waited for.
func (r *Rollout) begins(ctx, stopping context.Context, t turn) bool {
	// When ctx ends, those under way may free their workers a moment before stopping has ended too.
	if shut, _ := r.gate.look(); shut || ctx.Err() != nil || stopping.Err() != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mayBegin(t) {
		return false
	}
	r.busy++
	if !t.failed {
		r.open++
	}
	return true
}

// bring brings the update to a device.
func (r *Rollout) bring(ctx, stopping context.Context, t turn) {
	waited := !t.notBefore.IsZero()
	if r.journal != nil && r.journal.add(t.record(eventBegun)) != nil {
		if waited { // the rollout is stopping for this: the device is not reached
			r.putBack(t)
		}
		return
	}
	r.tell(t.event(DeviceBegun), func(p *Report) {
		p.UnderWay++
		if waited {
			p.Waiting--
			r.queued--
		}
		if t.turns == 0 {
			p.CurrentWave.Devices++
		} else {
			t.report.Waited += time.Since(t.since)
		}
	})
	had, report, err := r.updateOne(ctx, stopping, t)
	pushed := t.report.Pushes > 0
	t.report = joined(t.report, report)
	e := t.event("")
	e.Report, e.Err = t.report, err
	next, class := t, delivery.ClassOf(err)
	switch {
	case err == nil && had && !pushed:
		e.Kind = DeviceHadIt
	case err == nil:
		e.Kind = DeviceUpdated
	case ctx.Err() != nil:
		e.Kind = DeviceInterrupted
	case r.requeue(stopping, &next, err):
		e.Kind, e.NotBefore = DeviceWaiting, next.notBefore
	default:
		e.Kind = DeviceFailed
	}
	if r.journal != nil {
		// An error is not lost: it stops the rollout and comes out of Run.
		switch e.Kind {
		case DeviceHadIt, DeviceUpdated:
			_ = r.journal.add(t.record(eventDone))
		case DeviceFailed, DeviceWaiting:
			failed := t.record(eventFailed)
			failed.Class = class.String()
			if e.Kind == DeviceWaiting {
				failed.NotBefore = journalTime(e.NotBefore)
			}
			_ = r.journal.add(failed)
		}
	}
	r.tell(e, func(p *Report) {
		p.UnderWay--
		p.Pushes += report.Pushes
		p.Verifies += report.Verifies
		r.busy--
		if !t.failed {
			r.open--
		}
		if e.Kind == DeviceWaiting {
			p.Waiting++
			r.judgeWaiting(&next, class)
			heap.Push(&r.queue, laterTurn{next.notBefore, next})
		} else {
			r.judge(p, e.Kind, t, class)
		}
		if r.finished >= r.opts.AbortLeast && r.tooMany() {
			r.stop(r.aborted())
		}
		r.wake()
	})
}

// judge counts a device that is done with. r.mu is held.
func (r *Rollout) judge(p *Report, kind EventKind, t turn, class delivery.Class) {
	if t.failed && kind != DeviceInterrupted { // it is known better now
		r.finished--
		r.failed[t.class]--
	}
	switch kind {
	case DeviceHadIt: // says nothing about the update
		p.HadIt++
		p.CurrentWave.HadIt++
	case DeviceInterrupted: // nor does this
		p.Interrupted++
	case DeviceUpdated:
		p.Updated++
		p.CurrentWave.Updated++
		r.finished++
	default:
		p.Failed[class]++
		p.CurrentWave.Failed[class]++
		r.finished++
		r.failed[class]++
	}
}

// judgeWaiting counts a device as failed that waits for another turn, unless it asked for
// that itself. r.mu is held.
func (r *Rollout) judgeWaiting(t *turn, class delivery.Class) {
	if e, ok := errors.AsType[*delivery.Error](t.err); t.failed || ok && class == delivery.ClassThrottled && e.RetryAfter > 0 {
		return
	}
	t.failed, t.class = true, class
	r.finished++
	r.failed[class]++
}

// wake has the next device look again whether it may begin.
func (r *Rollout) wake() {
	select {
	case r.settled <- struct{}{}:
	default: // it will anyway
	}
}

// joined returns the report of two things that were done one after the other.
func joined(first, next delivery.Report) delivery.Report {
	next.Pushes += first.Pushes
	next.Verifies += first.Verifies
	next.Waited += first.Waited
	next.Push, next.Verify = cmp.Or(next.Push, first.Push), cmp.Or(next.Verify, first.Verify)
	return next
}

// updateOne brings the update to one device, after asking it where need be.
//
// A device that the run before had under way may be rebooting with the update, and is waited for.
// Only once: were every run that is killed followed by one that waits, devices that are gone for
// good would in the end hold all workers. The word of a device that was pushed to by that run, or in
// an earlier turn of this one, counts when it has given it often enough, as in a Deliver. Any other
// device was not pushed to meanwhile.
func (r *Rollout) updateOne(ctx, stopping context.Context, t turn) (had bool, report delivery.Report, err error) {
	if t.unable != nil {
		return false, report, t.noUpdate()
	}
	if r.asking || t.turns > 0 {
		report, err = r.client.Check(ctx, t.device, t.update, delivery.CheckOptions{Pushed: t.report.Pushes > 0, MayBeRebooting: t.begun})
		if !delivery.LacksUpdate(err) {
			return err == nil, report, err
		}
	}
	ctx = pacing.WithYield(ctx, pacing.Yield{
		While: func(wait func(context.Context) bool) bool { return r.rest(stopping, wait) },
		Later: t.turns < r.opts.Requeue.Turns,
	})
	delivered, err := r.client.Deliver(ctx, t.device, t.update)
	return false, joined(report, delivered), err
}

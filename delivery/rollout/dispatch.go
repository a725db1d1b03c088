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

// dispatch goes through the sequence once, and gives each device whose place is in [from, to) to a
// worker. It returns when all of them are done.
func (r *Rollout) dispatch(ctx, stopping context.Context, devices iter.Seq[delivery.Device], from, to float64) {
	var workers sync.WaitGroup
	defer workers.Wait() // even if the sequence panics

	enumerated := 0
	ctx = pacing.WithByteRate(ctx, r.byteRate)
	rate := rateLimiter{perSecond: r.opts.PerSecond}
	line := r.newLine(stopping)
	line.start = func(t turn) admitted {
		got := r.admit(ctx, stopping, &rate, t)
		if got == begins {
			workers.Go(func() {
				r.process(ctx, stopping, t)
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
		enumerated++
		r.countEnumerated(enumerated)
		key, place := endpoint.Fingerprint(d.ID, d.Address)
		if place < from || place >= to {
			continue
		}
		t := turn{device: d, key: key}
		before := r.prepare(&t)
		if !r.claim(key, before) {
			continue
		}
		t.interrupted = before == stateStarted
		if before == stateFailed && r.postpone(t) {
			continue
		}
		if !r.startDue(line) || !line.add(t) {
			return
		}
	}
	r.countAll(enumerated)
	r.startWaiting(stopping, line)
}

// countEnumerated notes that a pass has given n devices so far. Passes may differ: the longest
// counts.
func (r *Rollout) countEnumerated(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enumerated = max(r.enumerated, n)
}

// countAll notes that a pass has ended, and gave n devices.
func (r *Rollout) countAll(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Counted = true
	if n == 0 && r.enumerated > 0 {
		r.stop(ErrNotRepeatable)
	}
}

// claim notes that the device has its turn now. It reports whether there is anything to do, by what
// was known of the device before.
func (r *Rollout) claim(key endpoint.Key, before deviceState) bool {
	r.known[key] = stateVisited
	if before != stateDone && before != stateVisited {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before == stateVisited {
		r.report.Duplicates++
		return false
	}
	r.report.DoneBefore++
	r.report.CurrentWave.DoneBefore++
	r.report.CurrentWave.Devices++
	return false
}

// An admitted says what became of a turn that was to begin.
type admitted uint8

const (
	stopped admitted = iota // it doesn't begin: the rollout is stopping
	closed                  // it doesn't begin: its window closed while it waited
	begins                  // it begins, and has a worker
)

// admit waits until a turn may begin: the rollout isn't paused, the wave's failures and the rate
// allow it, and a worker is free.
func (r *Rollout) admit(ctx, stopping context.Context, rate *rateLimiter, t turn) admitted {
	allowed := false
	for {
		changed, ok := r.pauser.wait(stopping)
		if !ok {
			return stopped
		}
		if !r.awaitCounts(stopping, changed, t) {
			continue
		}
		if !allowed {
			if wait := rate.reserve(time.Now()); wait > 0 {
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
			if open && r.countStart(ctx, stopping, t) {
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

// awaitCounts reports whether the wave's failures allow a turn to begin. If they don't, it first
// waits until they may have changed, the rollout was paused or resumed, or it stops.
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

// countStart counts a turn as under way. It reports false if the turn must not begin, because the
// rollout was stopped or paused while the turn waited for a worker.
func (r *Rollout) countStart(ctx, stopping context.Context, t turn) bool {
	// When ctx ends, those under way may free their workers a moment before stopping has ended too.
	if paused, _ := r.pauser.state(); paused || ctx.Err() != nil || stopping.Err() != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mayBegin(t) {
		return false
	}
	r.busy++
	if !t.failed {
		r.undecided++
	}
	return true
}

// process gives a device its turn, and writes down what came of it.
func (r *Rollout) process(ctx, stopping context.Context, t turn) {
	waited := !t.notBefore.IsZero()
	if r.journal != nil && r.journal.add(t.record(eventBegun)) != nil {
		if waited { // the rollout stops because of the journal: the device is not reached
			r.putBack(t)
		}
		return
	}
	r.emit(t.event(DeviceBegun), func(p *Report) {
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
		// An error isn't lost: it stops the rollout, and Run returns it.
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
	r.emit(e, func(p *Report) {
		p.UnderWay--
		p.Pushes += report.Pushes
		p.Verifies += report.Verifies
		r.busy--
		if !t.failed {
			r.undecided--
		}
		if e.Kind == DeviceWaiting {
			p.Waiting++
			r.countWaiting(&next, class)
			heap.Push(&r.queue, laterTurn{next.notBefore, next})
		} else {
			r.countEnd(p, e.Kind, t, class)
		}
		if r.finished >= r.opts.AbortLeast && r.tooManyFailures() {
			r.stop(r.abortError())
		}
		r.wake()
	})
}

// countEnd counts a device whose last turn has ended. The caller holds r.mu.
func (r *Rollout) countEnd(p *Report, kind EventKind, t turn, class delivery.Class) {
	if t.failed && kind != DeviceInterrupted { // it no longer counts for its earlier turn
		r.finished--
		r.failed[t.class]--
	}
	switch kind {
	case DeviceHadIt: // it says nothing about the update
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

// countWaiting counts a device that waits for another turn as failed, unless it named the time of
// that turn itself. The caller holds r.mu.
func (r *Rollout) countWaiting(t *turn, class delivery.Class) {
	if e, ok := errors.AsType[*delivery.Error](t.err); t.failed || ok && class == delivery.ClassThrottled && e.RetryAfter > 0 {
		return
	}
	t.failed, t.class = true, class
	r.finished++
	r.failed[class]++
}

// wake makes the next device check again whether it may begin.
func (r *Rollout) wake() {
	select {
	case r.settled <- struct{}{}:
	default: // it is about to
	}
}

// joined returns the report of two operations, one after the other.
func joined(first, next delivery.Report) delivery.Report {
	next.Pushes += first.Pushes
	next.Verifies += first.Verifies
	next.Waited += first.Waited
	next.Push, next.Verify = cmp.Or(next.Push, first.Push), cmp.Or(next.Verify, first.Verify)
	return next
}

// updateOne delivers the update to one device. It first checks whether the device has the update,
// if that is possible, and reports whether it had.
//
// A device that the last run had under way may be rebooting with the update, so the check waits for
// it. It does so only once: if every run after a kill waited, devices that are gone for good would
// in the end hold all workers. A device that was pushed to, by that run or in an earlier turn of
// this one, must say that it runs the update as often as in a Deliver. For any other device, one
// answer is enough.
func (r *Rollout) updateOne(ctx, stopping context.Context, t turn) (had bool, report delivery.Report, err error) {
	if t.updateErr != nil {
		return false, report, t.noUpdate()
	}
	if r.checksFirst || t.turns > 0 {
		report, err = r.client.Check(ctx, t.device, t.update, delivery.CheckOptions{Pushed: t.report.Pushes > 0, MayBeRebooting: t.interrupted})
		if !delivery.LacksUpdate(err) {
			return err == nil, report, err
		}
	}
	ctx = pacing.WithYield(ctx, pacing.Yield{
		While: func(wait func(context.Context) bool) bool { return r.releaseWorker(stopping, wait) },
		Later: t.turns < r.opts.Requeue.Turns,
	})
	delivered, err := r.client.Deliver(ctx, t.device, t.update)
	return false, joined(report, delivered), err
}

package delivery

import (
	"context"
	"iter"
	"sync"
	"time"
)

// turn is a device's turn to be updated.
type turn struct {
	device Device
	key    deviceKey
	begun  bool // by the run before, which doesn't say how it ended
}

// pass goes through the sequence once and has the workers update the devices of the
// wave that is under way, whose places begin at from. It returns when they are done.
func (r *Rollout) pass(ctx, stopping context.Context, devices iter.Seq[Device], from float64) {
	// Not buffered: the rate that devices are handed over at is the one they begin at.
	turns := make(chan turn)
	var workers sync.WaitGroup
	for range r.cfg.Workers {
		workers.Go(func() {
			for t := range turns {
				// What was handed over as the rollout stopped or paused isn't begun.
				if _, ok := r.gate.pass(stopping); !ok || ctx.Err() != nil {
					return
				}
				r.bring(ctx, t)
			}
		})
	}
	defer workers.Wait() // even if the sequence panics
	defer close(turns)

	drawn := 0
	rate := admission{perSecond: r.cfg.PerSecond}
	for d := range devices {
		if stopping.Err() != nil {
			return
		}
		drawn++
		r.saw(drawn)
		key, place := fingerprint(d)
		if place < from || place >= r.wave.Share && r.wave.Share < 1 {
			continue
		}
		before := r.marks[key]
		if !r.hasTurn(key, before) {
			continue
		}
		if !r.hand(stopping, turns, turn{d, key, before == markBegun}, &rate) {
			return
		}
	}
	r.sawAll(drawn)
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
func (r *Rollout) hasTurn(key deviceKey, before mark) bool {
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
	r.finished++
	return false
}

// hand gives the device to a worker, when the rollout isn't paused, the rate allows
// it and a worker is free. It reports false where the rollout is stopping.
func (r *Rollout) hand(stopping context.Context, turns chan<- turn, t turn, rate *admission) bool {
	allowed := false
	for {
		changed, ok := r.gate.pass(stopping)
		if !ok {
			return false
		}
		if !allowed {
			if wait := rate.take(time.Now()); wait > 0 {
				if !wakeAfter(stopping, wait, changed) {
					return false
				}
				continue
			}
			allowed = true
		}
		select {
		case turns <- t:
			return true
		case <-changed:
		case <-stopping.Done():
			return false
		}
	}
}

// bring is what a worker does with a device.
func (r *Rollout) bring(ctx context.Context, t turn) {
	if r.journal != nil && r.journal.add(t.record(eventBegun)) != nil {
		return // the rollout is stopping for this: the device is not reached
	}
	r.tell(RolloutEvent{Kind: DeviceBegun, Device: t.device}, func(p *RolloutReport) { p.UnderWay++ })
	had, report, err := r.updateOne(ctx, t)
	e := RolloutEvent{Device: t.device, Report: report, Err: err}
	var class Class
	switch {
	case err == nil && had:
		e.Kind = DeviceHadIt
	case err == nil:
		e.Kind = DeviceUpdated
	case ctx.Err() != nil:
		e.Kind = DeviceInterrupted
	default:
		e.Kind, class = DeviceFailed, ClassOf(err)
	}
	if r.journal != nil {
		// An error is not lost: it stops the rollout and comes out of Run.
		switch e.Kind {
		case DeviceHadIt, DeviceUpdated:
			_ = r.journal.add(t.record(eventDone))
		case DeviceFailed:
			failed := t.record(eventFailed)
			failed.Class = class.String()
			_ = r.journal.add(failed)
		}
	}
	r.tell(e, func(p *RolloutReport) { r.count(p, e, class) })
}

// count counts a device that a worker is done with. r.mu is held.
func (r *Rollout) count(p *RolloutReport, e RolloutEvent, class Class) {
	p.UnderWay--
	p.Pushes += e.Report.Pushes
	p.Verifies += e.Report.Verifies
	switch e.Kind {
	case DeviceHadIt:
		p.HadIt++
	case DeviceUpdated:
		p.Updated++
	case DeviceInterrupted:
		p.Interrupted++
		return // says nothing about the device
	default:
		p.Failed[class]++
		r.failed[class]++
	}
	r.finished++
	if r.tooMany() {
		r.stop(r.aborted())
	}
}

// updateOne brings the update to one device, after asking it where need be.
func (r *Rollout) updateOne(ctx context.Context, t turn) (had bool, report Report, err error) {
	asked := Report{}
	if r.asking {
		has, err := r.ask(ctx, t, &asked)
		if has || err != nil {
			return has, asked, err
		}
	}
	report, err = r.to.Deliver(ctx, t.device, r.update)
	report.Verifies += asked.Verifies
	report.Waited += asked.Waited
	return false, report, err
}

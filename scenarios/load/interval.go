package load

import (
	"iter"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// An Interval is what happened in one interval of a load. A field means what the field of the same
// name in [timeline.Interval] means.
//
// An operation counts as planned in the interval in which it was due, as succeeded in the one in
// which it ended, and as sent, failed or broken off in the one in which that was noticed. If the
// machine pauses at the end of an interval, it is noticed in the next one.
type Interval struct {
	Start, End time.Duration // after the load's start

	Planned, Sent, Succeeded, Failed, BrokenOff, Retries int64

	NotSent, InFlight int64 // at its end

	Classes map[string]int64 // failures by class; nil if none failed
	Wave    int              // of a rollout, from 1; 0 for other loads

	// Times holds the times of the operations that succeeded, in the order of
	// [scenarios.LoadSpec.Operations].
	Times []OpTimes

	// Plan is the length of the load's plan; 0 if there is none. SucceededLate is how many of the
	// operations that succeeded did so after its end.
	Plan          time.Duration
	SucceededLate int64

	// Last reports whether the load is over.
	Last bool
}

// OpTimes holds the times of one operation.
type OpTimes struct {
	Op delivery.Op
	*Latencies
}

// intervalWidths are the lengths that intervals may have.
var intervalWidths = [...]time.Duration{
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// How many intervals a load has: about fewest if they are shorter than a second, and no more than
// most if they are longer.
const (
	fewestIntervals = 50
	mostIntervals   = 3600
	shortestPlan    = 2 * time.Second // what a load without a known length is taken for at its start
)

// intervalWidth returns the length of the intervals of a load that lasts for the given time: a
// second, but less if there were fewer than fewestIntervals of them, and more if there were more
// than mostIntervals. If align isn't 0, it is a multiple of the result.
func intervalWidth(lasts, align time.Duration) time.Duration {
	width := intervalWidths[0]
	widen := func(w time.Duration) {
		if w <= time.Second && lasts/w >= fewestIntervals || w > time.Second && lasts/width > mostIntervals {
			width = w
		}
	}
	for _, w := range intervalWidths {
		if align == 0 || w <= align && align%w == 0 {
			widen(w)
		}
	}
	if align > width {
		widen(align)
	}
	return width
}

// intervals makes the intervals of a running load. Its zero value makes none.
type intervals struct {
	receive func(*Interval)
	align   time.Duration
	lasts   time.Duration // how long the load lasts by its plan; 0 if that isn't known

	planned func(end time.Duration) int64 // see loop.planned

	v     Interval     // reused
	spare []*Latencies // empty, for the interval that comes next

	// What had been counted at the end of the last interval.
	plannedBefore, brokenOffBefore, retriesBefore int64
}

// newIntervals returns intervals for the load of a recording.
func newIntervals(c RecordingConfig) intervals {
	v := intervals{spare: c.newLatencies()}
	for _, op := range operations(c.Op) {
		v.v.Times = append(v.v.Times, OpTimes{Op: op})
	}
	return v
}

// reset makes v ready for the next load.
func (v *intervals) reset() {
	*v = intervals{spare: v.spare, v: Interval{Times: v.v.Times}}
}

// end returns when the interval that begins at start ends: at the next multiple of its length,
// which grows with a load that has no known length.
func (v *intervals) end(start time.Duration) time.Duration {
	lasts := v.lasts
	if lasts == 0 || start >= lasts {
		lasts = max(shortestPlan, lasts, 2*start)
	}
	width := intervalWidth(lasts, v.align)
	return start - start%width + width
}

// startIntervals begins to call OnInterval at the end of each interval of the load. The caller
// calls stop when the load is over, which took elapsed; stop ends the last interval.
//
// If the load lasts for a known time, the interval in which it ends also has what follows it within
// half an interval, so that there is no tiny last interval with a few operations that were running.
// With ExactIntervals there may be one.
func (l *loop) startIntervals() (stop func(elapsed time.Duration)) {
	r := l.Record
	v := &r.intervals
	v.receive, v.align, v.lasts, v.planned = l.OnInterval, l.AlignIntervals, l.plan, l.planned
	if v.receive == nil {
		return func(time.Duration) {}
	}
	first := v.end(0)
	r.tally.startIntervals(first, l.plan)
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		end := first
		timer := time.NewTimer(time.Hour)
		defer timer.Stop()
		for {
			due := end
			if end == v.lasts && !l.ExactIntervals {
				due += (end - v.v.End) / 2
			}
			timer.Reset(due - time.Since(l.start))
			select {
			case <-stopping:
				return
			case <-timer.C:
			}
			next := v.end(end)
			r.endInterval(end, next, false)
			end = next
		}
	}()
	return func(elapsed time.Duration) {
		close(stopping)
		<-stopped
		for next := v.end(v.v.End); l.ExactIntervals && next < elapsed; next = v.end(next) {
			r.endInterval(next, v.end(next), false)
		}
		r.endInterval(max(elapsed, v.v.End), never, true)
	}
}

// endInterval ends the interval that goes on, at end, and begins one that ends at next.
func (r *Recording) endInterval(end, next time.Duration, last bool) {
	v := &r.intervals
	if last {
		r.flush(never)
	} else {
		r.flush(end)
	}
	times, late := r.tally.nextInterval(next, v.spare)
	brokenOff, retries := r.brokenOff.Load(), r.Totals().Retries
	i := &v.v
	ranBefore := i.InFlight
	*i = Interval{
		Start: i.End, End: end, Times: i.Times, Wave: int(r.wave.Load()),
		Plan: v.lasts, SucceededLate: late, Last: last,
	}
	for at, l := range times {
		i.Times[at].Latencies = l
	}
	i.Succeeded = times[len(times)-1].Count
	i.Classes = r.Failures.takeInterval()
	for _, n := range i.Classes {
		i.Failed += n
	}
	i.Retries, i.BrokenOff = retries-v.retriesBefore, brokenOff-v.brokenOffBefore
	// What ran at the end of the interval is taken for what runs now. So an operation that succeeded
	// between then and now counts as sent in the next interval, as it counts as succeeded there.
	ended := i.Succeeded + i.Failed + i.BrokenOff
	i.Sent = max(0, r.InFlight()-ranBefore+ended)
	i.InFlight = ranBefore + i.Sent - ended
	if v.planned != nil {
		due := end
		if last {
			due++ // a load without a duration ends with an operation that may be due at its very end
		}
		planned := v.planned(due)
		i.Planned, i.NotSent = planned-v.plannedBefore, max(0, planned-r.begun())
		v.plannedBefore = planned
	}
	v.brokenOffBefore, v.retriesBefore = brokenOff, retries
	v.receive(i)
	r.tally.endedInterval(times)
	resetAll(times)
	v.spare = times
}

// plannedBy returns a function that counts how many of a shard's operations that p plans are due
// before a time. The times it is called with must ascend. It counts no operation that is due at
// duration or later, and no more than most. The caller calls stop when it is done.
func plannedBy(
	p Pacer, s Shard, seed uint64, duration time.Duration, most int64,
) (count func(time.Duration) int64, stop func()) {
	if duration == 0 {
		duration = never
	}
	// The counts of a pacer with At don't depend on the seed.
	if _, ok := p.(interface{ At(int64) time.Duration }); ok {
		if _, ok := p.(interface{ CountBy(time.Duration) int64 }); ok {
			return func(end time.Duration) int64 { return s.countBy(p, min(end, duration), most) }, func() {}
		}
	}
	next, stop := iter.Pull(s.arrivals(p, seed))
	planned, ok := next()
	n := int64(0)
	return func(end time.Duration) int64 {
		for end = min(end, duration); ok && n < most && planned < end; n++ {
			planned, ok = next()
		}
		return n
	}, stop
}

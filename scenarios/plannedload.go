package scenarios

import (
	"cmp"
	"errors"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Workers that nobody asked for.
const (
	closedWorkers    = 32   // of a load that waits for the answers
	firstAutoWorkers = 32   // that an open load begins with
	mostAutoWorkers  = 4096 // that an open load comes to
)

// workers returns how many workers a load begins with, and how many it may come to. They differ
// where an open load starts one whenever an operation is due and none is free.
func (l LoadSpec) workers() (first, most int) {
	switch {
	case l.Workers > 0:
		return l.Workers, l.Workers
	case l.open():
		return firstAutoWorkers, mostAutoWorkers
	}
	return closedWorkers, closedWorkers
}

// auto reports whether an open load starts as many workers as it takes.
func (l LoadSpec) auto() bool { return l.Workers == 0 && l.open() }

// defaultDrain is how long operations may go on after the plan's end where load.drain isn't set.
// k6's gracefulStop is as long.
const defaultDrain = Duration(30 * time.Second)

// drain returns how long after the plan's end operations may go on.
func (l LoadSpec) drain() time.Duration { return cmp.Or(l.Drain, defaultDrain).Std() }

// drains reports whether the load has a plan with an end, after which something may be left.
func (l LoadSpec) drains() bool {
	switch l.Model {
	case Once, Rolling:
		return false
	case Closed:
		return l.Duration > 0
	case Bursts:
		return l.Burst.Every > 0
	}
	return true
}

// errDrained ends operations that are under way when the load's drain is over.
var errDrained = errors.New("load.drain is over")

// planEnd returns when the plan of the load ends: after its duration, or, where each device has the
// operation once, when a further one would be due. It is 0 where the load has no plan, or one that
// says nothing of time.
func (l *load) planEnd() time.Duration {
	lasts := l.spec.Lasts()
	if lasts > 0 || l.schedule == nil {
		return lasts
	}
	if end := l.schedule.at(int64(l.devices.Len())); end < math.MaxInt64 {
		return end
	}
	return 0
}

// certainlyBehind returns when a load whose operations are not all sent is certain to be behind its
// plan, whatever comes; see plan.behind. It is never where none is, and for a closed load, which has
// no plan.
func (l *load) certainlyBehind() time.Duration {
	if l.schedule == nil || l.ends == 0 {
		return math.MaxInt64
	}
	return l.ends + allowedLag(l.spec, l.ends)
}

// limit works out the times that bound the load, before it begins.
func (l *load) limit() {
	_, l.most = l.spec.workers()
	if l.mostAuto > 0 && l.spec.auto() {
		l.most = l.mostAuto
	}
	l.ends = l.planEnd()
	l.certain = l.certainlyBehind()
	l.over, l.unsentFrom = math.MaxInt64, math.MaxInt64
	if l.ends == 0 || !l.spec.drains() {
		return
	}
	l.over = l.ends + l.spec.drain()
	l.unsentFrom = l.over
	if l.spec.Drain == 0 {
		l.unsentFrom = min(l.over, l.certain)
	}
}

// behindNow reports whether operations that are due after so long are certain to be sent too late.
func (l *load) behindNow(elapsed time.Duration) bool {
	return elapsed > l.certain && (!l.allHanded.Load() || l.crowd.taken.Load() < l.handed.Load())
}

// operations counts the load's operations once it has ended, after so long.
func (l *load) operations(elapsed time.Duration) results.Operations {
	o := results.Operations{BrokenOff: l.brokenOff.Load()}
	o.Succeeded, o.Failed, _ = l.totals()
	late, lateBad := l.afterPlan()
	o.Started = o.Succeeded + o.Failed + o.BrokenOff
	o.SucceededInPlan, o.EndedInPlan = o.Succeeded-late, o.Succeeded+o.Failed-late-lateBad
	if l.schedule != nil {
		o.Planned = l.handed.Load()
		if !l.allHanded.Load() {
			o.Planned = max(o.Planned, l.planned())
		}
		o.NotSent = max(0, o.Planned-o.Started)
	}
	if l.ends > 0 {
		o.PlanNS, o.DrainNS = int64(l.ends), int64(max(0, elapsed-l.ends))
	}
	return o
}

// afterPlan returns how many operations ended after the plan did: well, and not.
func (l *load) afterPlan() (succeeded, failed int64) {
	for _, r := range l.recorders {
		succeeded += r.late.Load()
		failed += r.lateBad.Load()
	}
	return succeeded, failed
}

// meanBusy returns how long an operation of an open load kept its worker, however it ended; 0 where
// there was none.
func (l *load) meanBusy() time.Duration {
	var sum, n int64
	for _, r := range l.recorders {
		sum += r.busy.Load()
		n += r.done.Load() + r.failed.Load()
	}
	if n += l.brokenOff.Load(); n == 0 {
		return 0
	}
	return time.Duration(sum / n)
}

// peakRate returns the highest rate of the plan, in operations a second. It is 0 for bursts, whose
// operations come all at once.
func (l LoadSpec) peakRate() float64 {
	if !l.open() || l.Model == Bursts {
		return 0
	}
	highest := 0.0
	for _, p := range l.profile() {
		highest = max(highest, p.from, p.to)
	}
	return highest
}

// leastLongest is what histograms reach at least.
const leastLongest = 100 * time.Second

// mostLongest bounds their memory.
const mostLongest = 30 * 24 * time.Hour

// Deadlines that the client has where the scenario sets none, as package delivery documents them.
const (
	clientTotal    = 5 * time.Minute
	clientAttempts = 4
	clientRetryCap = 10 * time.Second
	clientPollFor  = 5 * time.Minute
)

// longest returns how long an operation of the scenario can take, by the client's own deadlines,
// retries and waits, and under an open load by the wait for a worker. No response time is longer.
func (s Spec) longest() time.Duration {
	or := func(d Duration, otherwise time.Duration) float64 { return cmp.Or(d.Std(), otherwise).Seconds() }
	longest := or(s.Client.TotalTimeout, clientTotal)
	if s.Load.Operation == Deliver {
		attempts := float64(cmp.Or(s.Client.MaxAttempts, clientAttempts))
		request := longest + or(s.Client.RetryCap, clientRetryCap)
		settles := attempts*request + or(s.Client.PollFor, clientPollFor) + request
		longest = attempts * (request + settles)
	}
	if s.Load.open() {
		if _, most := s.Load.workers(); !s.Load.drains() { // a burst is worked off by as many as there are
			longest *= float64(s.Load.Burst.Size/most + 1)
		}
		longest += s.Load.drain().Seconds()
	}
	return time.Duration(min(max(longest, leastLongest.Seconds()), mostLongest.Seconds()) * float64(time.Second))
}

package runner

import (
	"errors"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

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
	_, l.most = l.spec.WorkerRange()
	if l.mostAuto > 0 && l.spec.AutoWorkers() {
		l.most = l.mostAuto
	}
	l.ends = l.planEnd()
	l.certain = l.certainlyBehind()
	l.over, l.unsentFrom = math.MaxInt64, math.MaxInt64
	if l.ends == 0 || !l.spec.Drains() {
		return
	}
	l.over = l.ends + l.spec.DrainTime()
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

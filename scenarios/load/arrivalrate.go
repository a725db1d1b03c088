package load

import (
	"context"
	"math"
	"time"
)

// An ArrivalRate begins operations at the times that a [Pacer] plans, whether or not earlier ones
// have ended (an open load). If every worker is busy, operations wait in order, and the wait counts
// in their response times.
type ArrivalRate struct {
	Pacer      Pacer
	Duration   time.Duration // 0: until every device had the operation once
	Workers    int           // workers at the beginning
	MaxWorkers int           // a worker is started whenever an operation is due and none is free, up to this many
	Drain      time.Duration // how long operations may go on after the plan's end
	Shard      Shard         // the part of the Pacer's operations that are begun

	// StopBehind ends the load once its plan certainly can't be kept any more: when some operations
	// are still unsent [AllowedLag] after the plan's end.
	StopBehind bool
}

// Expect implements [Executor].
func (a ArrivalRate) Expect(devices int) Expectation {
	e := Expectation{RateAt: a.Shard.rateAt(a.Pacer)}
	if a.Duration > 0 {
		e.Operations = a.Shard.countBy(a.Pacer, a.Duration, math.MaxInt64)
	} else {
		e.Operations = a.Shard.countBy(a.Pacer, never, int64(devices))
	}
	return e
}

// Run implements [Executor].
func (a ArrivalRate) Run(ctx context.Context, e Env) (Result, error) {
	// Without a duration, the plan ends when one more operation would be due, in any shard. If that is
	// at once or never, the plan has no length.
	plan := a.Duration
	if plan == 0 {
		if end := timeOf(a.Pacer, int64(a.Shard.all(e.Devices.Len())), e.Seed); end < never {
			plan = end
		}
	}
	l := &openLoop{loop: newLoop(e, a.Duration, plan, a.Drain), ArrivalRate: a, due: make(chan arrival, dispatchBuffer)}
	l.unsentAfter = l.drained
	if e.OnInterval != nil {
		most := int64(math.MaxInt64)
		if a.Duration == 0 {
			most = int64(e.Devices.Len())
		}
		var stop func()
		l.planned, stop = plannedBy(a.Pacer, a.Shard, e.Seed, a.Duration, most)
		defer stop()
	}
	if plan > 0 {
		behind := plan + AllowedLag(a.Pacer, plan)
		e.Record.behindAfter.Store(int64(behind))
		if a.StopBehind {
			l.unsentAfter = min(l.drained, behind)
		}
	}
	tasks := []func(context.Context){l.dispatch}
	for i := range a.Workers {
		tasks = append(tasks, l.worker(i))
	}
	elapsed, err := l.run(ctx, tasks)
	if err != nil {
		return Result{}, err
	}
	planned := e.Record.dispatched.Load()
	switch {
	case e.Record.allDispatched.Load():
	case ctx.Err() != nil: // the plan wasn't over
		planned = max(planned, a.Expect(e.Devices.Len()).Operations)
	default:
		planned = a.count(e)
	}
	result := l.result(elapsed, planned)
	result.Workers = max(a.Workers, a.MaxWorkers)
	return result, nil
}

// count returns how many operations the plan has. Unlike Expect, it counts those of e's seed.
func (a ArrivalRate) count(e Env) int64 {
	most := int64(math.MaxInt64)
	if a.Duration == 0 {
		most = int64(e.Devices.Len())
	}
	count, stop := plannedBy(a.Pacer, a.Shard, e.Seed, a.Duration, most)
	defer stop()
	return count(never)
}

// An openLoop is a running load of an ArrivalRate.
type openLoop struct {
	*loop
	ArrivalRate
	due         chan arrival  // from the dispatcher, which closes it
	unsentAfter time.Duration // no operation is sent after this time
}

// worker returns worker i, which does operations as they become due until there are no more.
//
// The worker that has been free the longest takes the next operation. So if that worker was still
// busy when its operation was due, all workers were busy, and the operation was queued.
func (l *openLoop) worker(i int) func(context.Context) {
	r, inFlight := l.Record.recorder(i), &l.Record.inFlight
	return func(ctx context.Context) {
		var freed time.Duration // when its last operation ended
		for a := range l.due {
			if ctx.Err() != nil {
				return
			}
			sent := time.Since(l.start)
			if sent > l.unsentAfter {
				continue // the operation stays unsent
			}
			inFlight.start()
			r.recordDispatch(a.planned, sent, freed > a.planned)
			freed = l.operate(ctx, r, a.n, a.planned, sent)
			r.busy.Add(int64(freed - sent))
			inFlight.done()
		}
	}
}

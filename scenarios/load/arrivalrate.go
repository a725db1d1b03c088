package load

import (
	"context"
	"time"
)

// An ArrivalRate is operations at times that a [Pacer] plans, whether or not the ones before them have ended.
// Workers take those that are due, in order. If all are busy, operations wait, and their response times count
// that.
type ArrivalRate struct {
	Pacer      Pacer
	Duration   time.Duration // 0: until every device had the operation once
	Workers    int           // that it begins with
	MaxWorkers int           // one is started whenever an operation is due and none is free, up to so many
	Drain      time.Duration // how long operations may go on after the plan's end

	// StopBehind has nothing more sent once the plan can't be kept, whatever comes: when it is over, and
	// longer than [Pacer].AllowedLag, and operations of it are not sent yet.
	StopBehind bool
}

// Expect implements [Executor].
func (a ArrivalRate) Expect(devices int) Expectation {
	e := Expectation{Operations: a.Pacer.CountBy(never), RateAt: a.Pacer.RateAt}
	if a.Duration > 0 {
		e.Operations = a.Pacer.CountBy(a.Duration)
	} else {
		e.Operations = min(int64(devices), e.Operations)
	}
	return e
}

// Run implements [Executor].
func (a ArrivalRate) Run(ctx context.Context, e Env) (Result, error) {
	// Without a duration, the plan ends when an operation after the last one would be due. If that is at
	// once, or never, the plan says nothing of time.
	plan := a.Duration
	if end := a.Pacer.At(int64(e.Devices.Len()), e.Seed); plan == 0 && end < never {
		plan = end
	}
	l := &openLoop{loop: newLoop(e, a.Duration, plan, a.Drain), ArrivalRate: a, due: make(chan arrival, dispatchBuffer)}
	l.unsentAfter = l.drained
	if plan > 0 {
		behind := plan + a.Pacer.AllowedLag(plan)
		e.Record.behindAfter.Store(int64(behind))
		if a.StopBehind {
			l.unsentAfter = min(l.drained, behind)
		}
	}
	tasks := []func(context.Context){l.dispatch}
	for i := range a.Workers {
		tasks = append(tasks, l.worker(i))
	}
	elapsed := l.run(ctx, tasks)
	planned := e.Record.dispatched.Load()
	if !e.Record.allDispatched.Load() {
		planned = max(planned, a.Expect(e.Devices.Len()).Operations)
	}
	result := l.result(elapsed, planned)
	result.Workers = max(a.Workers, a.MaxWorkers)
	return result, nil
}

// openLoop is an arrival rate under way.
type openLoop struct {
	*loop
	ArrivalRate
	due         chan arrival  // what the dispatcher hands out; closed when there is no more
	unsentAfter time.Duration // from then on nothing more is sent
}

// worker returns worker i, which does what is due until there is no more.
//
// Operations are taken in order, each by the worker that has waited the longest. So if that one was still busy
// when its operation was due, all were, and the operation was queued.
func (l *openLoop) worker(i int) func(context.Context) {
	r, inFlight := l.Record.recorder(i), &l.Record.inFlight
	return func(ctx context.Context) {
		var freed time.Duration // when it was done with its last one
		for a := range l.due {
			if ctx.Err() != nil {
				return
			}
			sent := time.Since(l.start)
			if sent > l.unsentAfter {
				continue // it stays unsent
			}
			inFlight.start()
			r.recordDispatch(a.planned, sent, freed > a.planned)
			freed = l.operate(ctx, r, a.n, a.planned, sent)
			r.busy.Add(int64(freed - sent))
			inFlight.done()
		}
	}
}

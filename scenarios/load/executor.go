package load

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
)

// An Executor decides when operations begin, and runs them.
type Executor interface {
	// Run runs the operations, and returns when the last one has ended. If ctx ends, Run sends no
	// further operation and breaks off the running ones, which count neither as succeeded nor as
	// failed. Run returns no error in that case.
	Run(ctx context.Context, e Env) (Result, error)
	// Expect returns what is known about a load on so many devices before it begins.
	Expect(devices int) Expectation
}

// An Env is what an [Executor] drives, and where it counts.
type Env struct {
	Client  Client
	Op      delivery.Op
	Devices Devices // operation n is for device n modulo the number of devices
	Update  *delivery.Update
	Record  *Recording // empty
	Seed    uint64     // seeds the times of Poisson arrivals, and how long workers think

	// NewHook makes one Hook for each recorder. If it is nil, there are no hooks.
	NewHook func() Hook
	// Gate, if not nil, is called when every worker is ready and no operation has begun, and returns
	// when the load is to begin. If it returns an error, no operation begins, and Run returns that
	// error.
	Gate func(context.Context) error
	// OnReady, if not nil, is called when every worker is ready and no operation has begun, so that
	// the cost of making workers doesn't count as the operations'.
	OnReady func()
	// OnBegin, if not nil, is called with the time at which the load begins, right after that time.
	OnBegin func(time.Time)
	// OnInterval, if not nil, is called at the end of each interval of the load, by one goroutine. The
	// Interval is valid only during the call.
	OnInterval func(*Interval)
	// AlignIntervals, if not 0, makes intervals end at its multiples.
	AlignIntervals time.Duration
	// ExactIntervals makes an interval end at the end of the plan even if the load goes on for a short
	// time only, so that the intervals of loads with the same plan end together, except the last ones.
	ExactIntervals bool
	// SystemClock makes the dispatcher sleep by the system's clock instead of Go's timers.
	SystemClock bool
}

// awaitStart waits for the gate, if there is one.
func (e *Env) awaitStart(ctx context.Context) error {
	if e.Gate == nil {
		return nil
	}
	return e.Gate(ctx)
}

// An Expectation is what is known about a load before it begins.
type Expectation struct {
	Operations int64                       // 0 if the load ends after a time
	RateAt     func(time.Duration) float64 // planned operations per second at a time; nil without a plan
}

// A Result is the outcome of a load, besides what its [Recording] holds.
type Result struct {
	Elapsed      time.Duration // from the start to the last operation's end
	Operations   results.Operations
	Workers      int           // the most workers that there could be at once
	InFlightPeak int           // the most operations that ran at once; 0 without a plan
	MeanBusy     time.Duration // how long an operation kept its worker, however it ended; 0 without a plan
	Stopped      error         // why a rollout stopped, a *rollout.AbortError and its report; nil if it didn't
}

// errDrained ends the operations that are still running when the load's drain is over.
var errDrained = errors.New("the load's drain is over")

const never = time.Duration(math.MaxInt64)

// A loop is a running load. It has what executors share: how a load begins and ends, and how an
// operation is done and counted.
type loop struct {
	Env
	devices  int64
	duration time.Duration // 0: until every device had the operation once
	start    time.Time
	plan     time.Duration // the plan's length; 0: there is no plan, or its operations are due at once or never
	drained  time.Duration // when running operations are broken off
	workers  sync.WaitGroup

	// planned returns how many operations are due before a time. The times it is called with must
	// ascend. It is nil without a plan, and if there is no OnInterval.
	planned func(end time.Duration) int64

	begun []bool // whether the operation of each device has begun; only of a rollout
}

// newLoop returns a loop whose plan has the given length, and whose operations may continue for the
// drain after it.
func newLoop(e Env, duration, plan, drain time.Duration) *loop {
	l := &loop{Env: e, devices: int64(e.Devices.Len()), duration: duration, plan: plan, drained: never}
	if plan > 0 {
		l.drained = plan + drain
	}
	e.Record.setHooks(e.NewHook)
	return l
}

// startClock begins the load now.
func (l *loop) startClock() {
	l.start = time.Now()
	if l.OnBegin != nil {
		l.OnBegin(l.start)
	}
}

// lateTime is how long operations may go on after the caller has ended the load. A client whose
// operations don't end with their context would otherwise keep the load running for ever.
const lateTime = 30 * time.Second

// run runs the tasks concurrently, and returns how long they took. Tasks may add others to
// l.workers, for which run waits as well, but no longer than lateTime after caller has ended. It
// returns the error of the gate.
func (l *loop) run(caller context.Context, tasks []func(context.Context)) (time.Duration, error) {
	ctx, breakOff := context.WithCancelCause(caller)
	defer breakOff(nil)
	var ready sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(len(tasks))
	for _, task := range tasks {
		l.workers.Go(func() {
			ready.Done()
			<-begin
			task(ctx)
		})
	}
	ready.Wait()
	ended := make(chan struct{})
	go func() { // ends with the last operation
		defer close(ended)
		l.workers.Wait()
	}()
	if err := l.awaitStart(caller); err != nil {
		breakOff(err) // so that the tasks do nothing
		close(begin)
		<-ended
		return 0, err
	}
	if l.OnReady != nil {
		l.OnReady()
	}
	l.startClock()
	if l.drained < never {
		defer time.AfterFunc(l.drained, func() { breakOff(errDrained) }).Stop()
	}
	stopIntervals := l.startIntervals()
	close(begin)
	complete := true // all operations have ended
	select {
	case <-ended:
	case <-caller.Done():
		late := time.NewTimer(lateTime)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
			complete = false
		}
	}
	elapsed := time.Since(l.start)
	stopIntervals(elapsed)
	if complete && caller.Err() != nil { // the caller ended the load before its plan did
		l.plan = min(l.plan, elapsed)
	}
	return elapsed, nil
}

// finished reports whether the load is over before operation n, which is due at the given time.
func (l *loop) finished(n int64, at time.Duration) bool {
	if l.duration > 0 {
		return at >= l.duration
	}
	return n >= l.devices
}

// operate does operation n and records it. It returns the time at which the operation was done.
func (l *loop) operate(ctx context.Context, r *recorder, n int64, planned, sent time.Duration) time.Duration {
	i := int(n % l.devices)
	device := l.Devices.At(i)
	var err error
	var report delivery.Report
	pushes, verifies := 0, 0
	r.begun.Add(1)
	switch l.Op {
	case delivery.OpPush:
		err, pushes = l.Client.Push(ctx, device, l.Update), 1
	case delivery.OpVerify:
		err, verifies = l.Client.Verify(ctx, device, l.Update), 1
	default:
		report, err = l.Client.Deliver(ctx, device, l.Update)
		pushes, verifies = report.Pushes, report.Verifies
	}
	done := time.Since(l.start)
	outcomes := l.Record.Outcomes
	outcomes.Sent(i, pushes, verifies)
	if err != nil && l.Op == delivery.OpDeliver && isUncounted(err) {
		outcomes.SentUnknown(i)
	}
	l.Record.countRetries(r, i, report.Retries())
	late := l.plan > 0 && done > l.plan
	switch {
	case err == nil:
		outcomes.Succeed(i)
		r.recordSuccess(&success{
			device: i, planned: planned, done: done, response: done - planned, service: done - sent, report: report,
		})
		if late {
			r.succeededLate.Add(1)
		}
	case ctx.Err() != nil: // broken off by the load: neither a success nor a failure
		l.Record.countBrokenOff(i)
	default:
		outcomes.Fail(i)
		r.recordFailure(planned, done-planned)
		if late {
			r.failedLate.Add(1)
		}
		l.Record.Failures.add(i, device, l.Op, 0, report, done-planned, err)
	}
	return done
}

// result returns the outcome of the load.
func (l *loop) result(elapsed time.Duration, planned int64) Result {
	r := l.Record
	t := r.Totals()
	o := results.Operations{Planned: planned, Succeeded: t.Succeeded, Failed: t.Failed, BrokenOff: r.brokenOff.Load()}
	o.Started = o.Succeeded + o.Failed + o.BrokenOff
	o.NotSent = max(0, planned-o.Started)
	o.SucceededInPlan, o.EndedInPlan = o.Succeeded-t.SucceededLate, o.Succeeded+o.Failed-t.SucceededLate-t.FailedLate
	if l.plan > 0 {
		o.PlanNS, o.DrainNS = int64(l.plan), int64(max(0, elapsed-l.plan))
	}
	return Result{
		Elapsed: elapsed, Operations: o, InFlightPeak: int(r.inFlight.peak.Load()),
		MeanBusy: t.Busy / time.Duration(max(1, o.Started)),
	}
}

package runner

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// client is what the load drives: the production client, or a stand-in where a
// benchmark asks what the harness itself costs.
type client interface {
	Push(context.Context, delivery.Device, *delivery.Update) error
	Verify(context.Context, delivery.Device, *delivery.Update) error
	Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error)
}

// load is one repetition's operations under way.
type load struct {
	spec      scenarios.LoadSpec
	client    client
	devices   *target.DeviceList
	update    *delivery.Update
	recorders []*recorder
	claims    *claims
	failures  *failures

	// standing, if not nil, is called when every worker stands ready and none has
	// begun: what making the workers costs is no part of the operations.
	standing func()

	schedule schedule // nil: a closed load, which has no plan
	probes   bool     // it tries a rate for a search, and may be behind its plan
	exact    bool     // planned times are kept by the system's clock, not by Go's timers
	seed     uint64   // of what is drawn
	start    time.Time
	next     atomic.Int64 // a closed load's next operation
	crowd    crowd        // an open load's busy workers

	// Times that bound the load, from its start; see limit.
	ends       time.Duration // of the plan; 0: it has none
	certain    time.Duration // from when on an operation that isn't sent yet makes the load behind its plan
	unsentFrom time.Duration // from when on nothing more is sent
	over       time.Duration // what is under way then is broken off

	most, mostAuto int          // workers, at most; and where they come by themselves, if the runner knows better
	handed         atomic.Int64 // operations of the plan that were due and handed out
	allHanded      atomic.Bool  // there are no more
	waves          *waves       // of a rollout; nil without one
	brokenOff      atomic.Int64 // operations that were under way when the load was over, or its context ended
}

// run does the operations and returns how long that took. A context that ends
// stops it between operations, and breaks off those under way; so does the end of its drain.
func (l *load) run(caller context.Context) time.Duration {
	ctx, breakOff := context.WithCancelCause(caller)
	defer breakOff(nil)
	l.limit()
	first, _ := l.spec.WorkerRange()
	first = min(first, l.most)
	var standing, all sync.WaitGroup
	begin := make(chan struct{})
	var pacer *pacemaker
	if l.schedule != nil {
		pacer = newPacemaker()
		workers := first
		pacer.another = func() bool {
			if workers == l.most {
				return false
			}
			w := l.newWorker(workers)
			workers++
			all.Go(func() { w.serve(ctx, pacer.due) })
			return true
		}
		standing.Add(1)
		all.Go(func() {
			standing.Done()
			<-begin
			pacer.run(ctx, l)
		})
	}
	standing.Add(first)
	for i := range first {
		all.Go(func() {
			w := l.newWorker(i)
			standing.Done()
			<-begin
			if pacer != nil {
				w.serve(ctx, pacer.due)
			} else {
				w.work(ctx)
			}
		})
	}
	standing.Wait()
	if l.standing != nil {
		l.standing()
	}
	l.start = time.Now()
	if l.over < math.MaxInt64 {
		defer time.AfterFunc(l.over, func() { breakOff(errDrained) }).Stop()
	}
	close(begin)
	all.Wait()
	elapsed := time.Since(l.start)
	if caller.Err() != nil { // then there was time for so much of the plan alone
		l.ends = min(l.ends, elapsed)
	}
	return elapsed
}

// worker does one operation after another.
type worker struct {
	*load
	recorder *recorder
	timer    *time.Timer // for waits; nil where there are none
	dice     *rand.Rand  // for how long it thinks; nil where it doesn't
}

func (l *load) newWorker(i int) *worker {
	w := &worker{load: l, recorder: l.recorders[i%len(l.recorders)]}
	if !l.spec.Think.IsZero() {
		w.timer = time.NewTimer(time.Hour)
		w.timer.Stop()
		w.dice = rand.New(rand.NewPCG(l.seed, uint64(i)))
	}
	return w
}

// work is a worker of a closed load: it does the next operation as soon as it is done with the last
// one, and has thought.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		n, now := w.next.Add(1)-1, time.Since(w.start)
		if w.through(n, now) {
			return
		}
		w.do(ctx, w.recorder, w.device(n), now, now)
		if w.dice != nil && !w.await(ctx, w.spec.Think.Sample(w.dice.Float64())) {
			return
		}
	}
}

// serve is a worker of an open load: it does what is due. Planned times come from the
// schedule, never from when a worker got round to them: time that an operation waits
// for a free worker counts as latency.
//
// Operations are taken in order, and by whoever has waited longest. So where the taker was still
// busy when its operation was due, everybody was.
func (w *worker) serve(ctx context.Context, due <-chan operation) {
	var freed time.Duration // when it was done with its last one
	for o := range due {
		if ctx.Err() != nil {
			return
		}
		sent := time.Since(w.start)
		if sent > w.unsentFrom {
			continue // it stays unsent
		}
		w.crowd.enter()
		w.recorder.sent(o.planned, sent, freed > o.planned)
		freed = w.do(ctx, w.recorder, w.device(o.n), o.planned, sent)
		w.recorder.busy.Add(int64(freed - sent))
		w.crowd.leave()
	}
}

// device is the one that operation n is for: they take turns.
func (l *load) device(n int64) int { return int(n % int64(l.devices.Len())) }

// through reports whether operation n is beyond the load's end.
func (l *load) through(n int64, planned time.Duration) bool {
	if lasts := l.spec.Lasts(); lasts > 0 {
		return planned >= lasts
	}
	return n >= int64(l.devices.Len()) || planned == math.MaxInt64
}

// await waits for so long, or gives false when the context ends first.
func (w *worker) await(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	w.timer.Reset(wait)
	select {
	case <-w.timer.C:
		return true
	case <-ctx.Done():
		w.timer.Stop()
		return false
	}
}

// do does an operation, and gives when that was done.
func (l *load) do(ctx context.Context, r *recorder, i int, planned, sent time.Duration) time.Duration {
	device := l.devices.At(i)
	var err error
	var report delivery.Report
	pushes, verifies := 0, 0
	switch l.spec.Operation {
	case scenarios.Push:
		err, pushes = l.client.Push(ctx, device, l.update), 1
	case scenarios.Verify:
		err, verifies = l.client.Verify(ctx, device, l.update), 1
	default:
		report, err = l.client.Deliver(ctx, device, l.update)
		pushes, verifies = report.Pushes, report.Verifies
	}
	done := time.Since(l.start)
	l.claims.sent(i, pushes, verifies)
	r.retries.Add(int64(report.Retries()))
	if err != nil {
		if ctx.Err() != nil { // broken off by us: neither a success nor a failure of the device
			l.brokenOff.Add(1)
			l.claims.brokenOff(i)
			return done
		}
		r.gaveUp(done - planned)
		if l.ends > 0 && done > l.ends {
			r.lateBad.Add(1)
		}
		l.claims.failed(i)
		l.failures.add(i, device, l.spec.Operation, report, done-planned, err)
		return done
	}
	r.done.Add(1)
	if l.ends > 0 && done > l.ends {
		r.late.Add(1)
	}
	l.claims.succeeded(i)
	if l.spec.Operation == scenarios.Deliver {
		r.delivered(sent-planned, report.Push, report.Verify, done-sent)
	} else {
		r.record(l.spec.Operation, done-planned, done-sent)
	}
	if r.trend != nil {
		r.went(planned, done-planned)
	}
	return done
}

// totals of the repetition, as it stands.
func (l *load) totals() (done, failed, retries int64) {
	for _, r := range l.recorders {
		done += r.done.Load()
		failed += r.failed.Load()
		retries += r.retries.Load()
	}
	return done, failed, retries
}

// live is how the load stands.
func (l *load) live(view *liveView, elapsed time.Duration) Live {
	v := Live{Elapsed: elapsed, Waves: l.waves.rows()}
	v.Done, v.Failed, v.Retries = l.totals()
	v.P50, v.P99 = view.look(l.recorders)
	if l.schedule != nil {
		v.PlannedRate = l.schedule.rate(elapsed)
	}
	if v.Failed > 0 {
		v.Classes = l.failures.byClass()
	}
	if l.schedule != nil && l.behindNow(elapsed) {
		v.Invalid = behindForCertain
		if l.probes {
			v.Invalid = beyondForCertain
		}
		if l.spec.Drain == 0 {
			v.Invalid += "; nothing more is sent"
		}
	}
	return v
}

// behindForCertain is what a load says of itself while it goes on.
const (
	behindForCertain = "the run is invalid already: the plan is over, and operations of it are not sent yet"
	beyondForCertain = "the rate is beyond the limit: its time is over, and operations of it are not sent yet"
)

// planned is how many operations there will be, 0 where only time tells.
func (l *load) planned() int64 {
	switch {
	case l.spec.Lasts() == 0 && l.schedule != nil:
		return min(int64(l.devices.Len()), l.schedule.planned(math.MaxInt64))
	case l.spec.Lasts() == 0:
		return int64(l.devices.Len())
	case l.schedule != nil:
		return l.schedule.planned(l.spec.Lasts())
	default:
		return 0
	}
}

package scenarios

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
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
	spec      LoadSpec
	client    client
	devices   *DeviceList
	update    *delivery.Update
	recorders []*recorder
	claims    *claims
	failures  *failures

	// standing, if not nil, is called when every worker stands ready and none has
	// begun: what making the workers costs is no part of the operations.
	standing func()

	schedule schedule // nil: a closed load, which has no plan
	seed     uint64   // of what is drawn
	start    time.Time
	next     atomic.Int64 // a closed load's next operation
	crowd    crowd        // an open load's busy workers
}

// run does the operations and returns how long that took. A context that ends
// stops it between operations, and breaks off those under way.
func (l *load) run(ctx context.Context) time.Duration {
	var standing, workers sync.WaitGroup
	begin := make(chan struct{})
	standing.Add(l.spec.Workers)
	for i := range l.spec.Workers {
		workers.Go(func() {
			w := l.newWorker(i)
			standing.Done()
			<-begin
			w.work(ctx)
		})
	}
	standing.Wait()
	if l.standing != nil {
		l.standing()
	}
	l.start = time.Now()
	close(begin)
	workers.Wait()
	return time.Since(l.start)
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
	thinks := !l.spec.Think.IsZero()
	if l.schedule != nil || thinks {
		w.timer = time.NewTimer(time.Hour)
		w.timer.Stop()
	}
	if thinks {
		w.dice = rand.New(rand.NewPCG(l.seed, uint64(i)))
	}
	return w
}

// work takes the next operation, waits until that is planned, does it. Planned times
// come from the schedule, never from when a worker got round to them: time that an
// operation waits for a free worker counts as latency.
//
// Operations are taken in order, and a free worker takes the next one before it is due.
// So one that is taken late was due while every worker was busy; but for a worker's
// first, which found it free.
func (w *worker) work(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		n, planned := w.take()
		if w.over(n, planned) {
			return
		}
		sent := planned
		if w.schedule != nil {
			wait := planned - time.Since(w.start)
			if !w.await(ctx, wait) {
				return
			}
			sent = time.Since(w.start)
			w.recorder.sent(planned, sent, wait < 0 && !first)
			w.crowd.enter()
		}
		w.do(ctx, w.recorder, int(n%int64(w.devices.Len())), planned, sent)
		if w.schedule != nil {
			w.crowd.leave()
		}
		if w.dice != nil && !w.await(ctx, w.spec.Think.Sample(w.dice.Float64())) {
			return
		}
	}
}

// take gives the next operation: its number, and when it is planned.
func (l *load) take() (n int64, planned time.Duration) {
	if l.schedule != nil {
		return l.schedule.take()
	}
	return l.next.Add(1) - 1, time.Since(l.start)
}

// over says whether operation n is beyond the load's end.
func (l *load) over(n int64, planned time.Duration) bool {
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

func (l *load) do(ctx context.Context, r *recorder, i int, planned, sent time.Duration) {
	device := l.devices.At(i)
	var err error
	var report delivery.Report
	switch l.spec.Operation {
	case Push:
		err = l.client.Push(ctx, device, l.update)
	case Verify:
		err = l.client.Verify(ctx, device, l.update)
	default:
		report, err = l.client.Deliver(ctx, device, l.update)
	}
	done := time.Since(l.start)
	r.retries.Add(int64(report.Retries()))
	if err != nil {
		if ctx.Err() != nil {
			return // broken off by us: neither a success nor a failure of the device
		}
		r.failed.Add(1)
		l.claims.failed(i)
		l.failures.add(i, device, l.spec.Operation, report, err)
		return
	}
	r.done.Add(1)
	l.claims.succeeded(i)
	if l.spec.Operation == Deliver {
		r.record(Push, sent-planned+report.Push, report.Push)
		r.record(Verify, report.Verify, report.Verify)
	}
	r.record(l.spec.Operation, done-planned, done-sent)
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

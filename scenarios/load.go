package scenarios

import (
	"context"
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

	pace  pace
	start time.Time
	next  atomic.Int64 // the next operation's number
}

// run does the operations and returns how long that took. A context that ends
// stops it between operations, and breaks off those under way.
func (l *load) run(ctx context.Context) time.Duration {
	var standing, workers sync.WaitGroup
	begin := make(chan struct{})
	standing.Add(l.spec.Workers)
	for i := range l.spec.Workers {
		workers.Go(func() {
			timer := newPlanTimer(l.pace)
			standing.Done()
			<-begin
			l.work(ctx, timer, l.recorders[i%len(l.recorders)])
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

// newPlanTimer is what a worker waits for planned times with; nil where there are none.
func newPlanTimer(p pace) *time.Timer {
	if p == nil {
		return nil
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}

// work is one worker: it takes the next operation, waits until that is planned,
// does it. Planned times come from the pace, never from when a worker got round to
// them: time that an operation waits for a free worker counts as latency.
func (l *load) work(ctx context.Context, timer *time.Timer, r *recorder) {
	for ctx.Err() == nil {
		n := l.next.Add(1) - 1
		var planned time.Duration
		if l.pace != nil {
			planned = l.pace.at(n)
		} else {
			planned = time.Since(l.start)
		}
		if l.over(n, planned) {
			return
		}
		sent := planned
		if l.pace != nil {
			if !l.await(ctx, timer, planned) {
				return
			}
			sent = time.Since(l.start)
			r.sent(planned, sent)
		}
		l.do(ctx, r, int(n%int64(l.devices.Len())), planned, sent)
	}
}

// over says whether operation n is beyond the load's end.
func (l *load) over(n int64, planned time.Duration) bool {
	if l.spec.Duration > 0 {
		return planned >= l.spec.Duration.Std()
	}
	return n >= int64(l.devices.Len())
}

// await waits until planned, or gives false when the context ends first.
func (l *load) await(ctx context.Context, timer *time.Timer, planned time.Duration) bool {
	wait := planned - time.Since(l.start)
	if wait <= 0 {
		return true
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		timer.Stop()
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
	case l.spec.Duration == 0:
		return int64(l.devices.Len())
	case l.pace != nil:
		return until(l.pace, l.spec.Duration.Std())
	default:
		return 0
	}
}

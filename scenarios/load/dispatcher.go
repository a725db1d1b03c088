package load

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// arrival is an operation that is due.
type arrival struct {
	n       int64
	planned time.Duration
}

// preciseWait is what is left to the system's clock.
const preciseWait = 3 * time.Millisecond

// dispatchBuffer is how many operations may be due and not taken before the dispatcher waits for a
// worker as well: where many are due at once, neither then waits for the other.
const dispatchBuffer = 256

// dispatch hands out the load's operations, each when it is planned: one goroutine waits for the next,
// whoever is free takes it. If nobody is, the operation waits, and those behind it; when somebody is again,
// all that are due by then come at once. None is left out, and each keeps the time that it was planned for.
//
// Go's own timers wake a process that sleeps up to a millisecond late, since its poller counts in whole ones
// (netpoll in runtime/netpoll_epoll.go). At a thousand operations a second that would be their distance. So
// short waits are the system's, in a thread of their own.
func (l *openLoop) dispatch(ctx context.Context) {
	defer close(l.due)
	w := waiter{start: l.start, timer: time.NewTimer(time.Hour)}
	defer w.timer.Stop()
	if l.SystemClock {
		runtime.LockOSThread() // and never unlocked: the thread, with its slack, ends with the goroutine
		w.preciseSleep = osinfo.Sleeper()
	}
	record, workers, n := l.Record, l.Workers, int64(0)
	for planned := range l.Pacer.Arrivals(l.Seed) {
		if l.finished(n, planned) {
			break
		}
		if !w.wait(ctx, planned) || time.Since(l.start) > l.unsentAfter {
			return
		}
		dispatched := record.dispatched.Add(1)
		if workers < l.MaxWorkers && dispatched-record.inFlight.ended() > int64(workers) {
			another := l.worker(workers)
			l.workers.Go(func() { another(ctx) })
			workers++
		}
		select {
		case l.due <- arrival{n, planned}:
		case <-ctx.Done():
			return
		}
		n++
	}
	record.allDispatched.Store(true)
}

// waiter waits until times that are counted from a start.
type waiter struct {
	start        time.Time
	timer        *time.Timer
	preciseSleep func(time.Duration) // nil: there is none
}

// wait waits until an operation is due. It reports whether ctx goes on.
func (w *waiter) wait(ctx context.Context, planned time.Duration) bool {
	for {
		wait := planned - time.Since(w.start)
		if wait <= 0 {
			return ctx.Err() == nil
		}
		if w.preciseSleep != nil {
			if wait < preciseWait {
				w.preciseSleep(wait)
				continue
			}
			wait -= preciseWait / 2
		}
		w.timer.Reset(wait)
		select {
		case <-w.timer.C:
		case <-ctx.Done():
			return false
		}
	}
}

// inFlight counts the operations of an arrival rate that are under way, each of which keeps a worker busy.
type inFlight struct {
	_                [64]byte // what others write lies on other cache lines
	now, peak, begun atomic.Int64
	_                [64]byte
}

func (f *inFlight) start() {
	now := f.now.Add(1)
	f.begun.Add(1) // after it: see ended
	for peak := f.peak.Load(); now > peak && !f.peak.CompareAndSwap(peak, now); peak = f.peak.Load() {
	}
}

func (f *inFlight) done() { f.now.Add(-1) }

// ended returns how many operations were begun and have ended, or a few less.
func (f *inFlight) ended() int64 { return f.begun.Load() - f.now.Load() }

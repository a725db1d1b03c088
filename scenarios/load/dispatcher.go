package load

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// An arrival is an operation that is due.
type arrival struct {
	n       int64
	planned time.Duration
}

// preciseWait is how much of a wait is left to the system's clock.
const preciseWait = 3 * time.Millisecond

// dispatchBuffer is how many operations may be due before the dispatcher waits for a worker to take
// one. It keeps dispatcher and workers from waiting for each other where many are due at once.
const dispatchBuffer = 256

// dispatch hands out the load's operations, each when it is due, to whichever worker is free. If
// none is, the operation waits, and those behind it wait, too. None is left out, and each keeps its
// planned time.
//
// Go's own timers may wake a sleeping process a millisecond late, since the runtime's poller counts
// in whole milliseconds (netpoll in runtime/netpoll_epoll.go). At a thousand operations a second
// they are that far apart. So short waits use the system's clock, in a thread of their own.
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

// A waiter waits until times that are counted from a start.
type waiter struct {
	start        time.Time
	timer        *time.Timer
	preciseSleep func(time.Duration) // nil: there is none
}

// wait waits until an operation is due. It returns false if ctx ends first.
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

// inFlight counts the operations of an arrival rate that are under way. Each keeps a worker busy.
type inFlight struct {
	_                [64]byte // keeps the counters on cache lines of their own
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

// ended returns how many operations have ended, or a few less: begun is read before now is.
func (f *inFlight) ended() int64 { return f.begun.Load() - f.now.Load() }

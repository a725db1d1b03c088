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

// preciseWait is the part of a wait that uses the system's clock.
const preciseWait = 3 * time.Millisecond

// dispatchBuffer is how many due operations the dispatcher may hand out before it waits for a
// worker. It keeps dispatcher and workers from waiting for each other if many operations are due at
// once.
const dispatchBuffer = 256

// dispatch hands out the load's operations, each when it is due, to a free worker. If there is
// none, the operation and those after it wait. None is left out, and each keeps its planned time.
//
// Go's own timers may wake a sleeping process a millisecond late, since the runtime's poller counts
// in whole milliseconds (netpoll in runtime/netpoll_epoll.go). At a thousand operations a second,
// that is the time between two of them. So short waits use the system's clock, in a thread of their
// own.
func (l *openLoop) dispatch(ctx context.Context) {
	defer close(l.due)
	w := waiter{start: l.start, timer: time.NewTimer(time.Hour)}
	defer w.timer.Stop()
	if l.SystemClock {
		runtime.LockOSThread() // never unlocked, so that the thread, whose timer slack was changed, ends with the goroutine
		w.preciseSleep = osinfo.Sleeper()
	}
	record, workers, n := l.Record, l.Workers, int64(0)
	for planned := range l.Shard.arrivals(l.Pacer, l.Seed) {
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

// A waiter waits until times that count from a start.
type waiter struct {
	start        time.Time
	timer        *time.Timer
	preciseSleep func(time.Duration) // nil if the system has none
}

// wait waits until an operation is due. It reports false if ctx ends first.
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

// inFlight counts the running operations of an ArrivalRate. Each keeps a worker busy.
type inFlight struct {
	_                [64]byte // keeps the counters on cache lines of their own
	now, peak, begun atomic.Int64
	_                [64]byte
}

func (f *inFlight) start() {
	now := f.now.Add(1)
	f.begun.Add(1) // must come after now; see ended
	for peak := f.peak.Load(); now > peak && !f.peak.CompareAndSwap(peak, now); peak = f.peak.Load() {
	}
}

func (f *inFlight) done() { f.now.Add(-1) }

// ended returns how many operations have ended, or a few less, since it reads begun before now.
func (f *inFlight) ended() int64 { return f.begun.Load() - f.now.Load() }

package scenarios

import (
	"context"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// operation is one that a schedule has planned.
type operation struct {
	n       int64
	planned time.Duration
}

// pacemaker hands out an open load's operations, each when it is planned: one goroutine
// waits for the next, whoever is free takes it. Where nobody is, the operation waits, and those
// behind it; when somebody is again, all that are due by then come at once. None is left
// out, and each keeps the time that it was planned for.
//
// Go's own timers wake a process that sleeps up to a millisecond late, since its poller counts
// in whole ones (netpoll in runtime/netpoll_epoll.go). At a thousand operations a second that
// would be their distance. So short waits are the system's, in a thread of their own.
type pacemaker struct {
	due     chan operation // closed when there is no more
	another func() bool    // starts one more worker, and reports whether there may be one; nil: there are as many as there will be
}

// shortWait is what is left to the system's clock.
const shortWait = 3 * time.Millisecond

// dueAtOnce is how many operations may be due and not taken, before the pacemaker waits for a
// worker as well: where many are due at once, neither then waits for the other.
const dueAtOnce = 256

func newPacemaker() *pacemaker { return &pacemaker{due: make(chan operation, dueAtOnce)} }

// run hands out operations until the load is over, or ctx ends.
func (p *pacemaker) run(ctx context.Context, l *load) {
	defer close(p.due)
	var sleep func(time.Duration)
	if l.exact {
		runtime.LockOSThread() // and never unlocked: the thread, with its slack, ends with the goroutine
		sleep = osinfo.Sleeper()
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	workers, _ := l.spec.workers()
	for {
		n, planned := l.schedule.take()
		if l.through(n, planned) {
			l.allHanded.Store(true)
			return
		}
		if !p.await(ctx, l, planned, timer, sleep) || time.Since(l.start) > l.unsentFrom {
			return
		}
		handed := l.handed.Add(1)
		if handed-l.crowd.ended() > int64(workers) && p.another != nil && p.another() {
			workers++
		}
		select {
		case p.due <- operation{n, planned}:
		case <-ctx.Done():
			return
		}
	}
}

// await waits until an operation is due; false is that ctx ended.
func (p *pacemaker) await(ctx context.Context, l *load, planned time.Duration, timer *time.Timer, sleep func(time.Duration)) bool {
	for {
		wait := planned - time.Since(l.start)
		if wait <= 0 {
			return ctx.Err() == nil
		}
		if sleep != nil && wait < shortWait {
			sleep(wait)
			continue
		}
		if sleep != nil {
			wait -= shortWait / 2
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
}

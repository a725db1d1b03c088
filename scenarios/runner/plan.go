package runner

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/scenarios"
)

// plan is how an open load's plan was kept.
//
// An operation is late for one of two reasons, and each is kept by itself. It was starved: every
// worker was busy when it was due, so that none had taken it yet. Or a worker stood ready for it,
// and woke late: that is the driver's own doing, or its machine's.
type plan struct {
	starved, ready    *hdrhistogram.Histogram // planned to sent
	lastPlanned, last time.Duration           // the operation sent last: when it should have been, and when it was
}

// newPlan returns a plan for lateness up to highest.
func newPlan(highest time.Duration) *plan {
	return &plan{starved: histogramUpTo(highest), ready: histogramUpTo(highest)}
}

func (p *plan) reset() {
	p.starved.Reset()
	p.ready.Reset()
	p.lastPlanned, p.last = 0, 0
}

// sent takes an operation: when it was planned, when it was sent, and whether every
// worker was busy when it was due.
func (p *plan) sent(planned, sent time.Duration, starved bool) {
	p.follow(planned, sent)
	// One beyond the histogram isn't said here: its response time is longer still.
	if starved {
		record(p.starved, sent-planned)
	} else {
		record(p.ready, sent-planned)
	}
}

func (p *plan) follow(planned, sent time.Duration) {
	if sent >= p.last {
		p.lastPlanned, p.last = planned, sent
	}
}

// add takes another part of the same load.
func (p *plan) add(o *plan) {
	p.starved.Merge(o.starved)
	p.ready.Merge(o.ready)
	p.follow(o.lastPlanned, o.last)
}

// late is the lateness of all operations.
func (p *plan) late() *hdrhistogram.Histogram {
	all := histogramUpTo(time.Duration(p.starved.HighestTrackableValue()))
	all.Merge(p.starved)
	all.Merge(p.ready)
	return all
}

// starvedFraction is the share of operations that were due while every worker was busy.
func (p *plan) starvedFraction() float64 {
	starved, all := p.starved.TotalCount(), p.starved.TotalCount()+p.ready.TotalCount()
	if all == 0 {
		return 0
	}
	return float64(starved) / float64(all)
}

// lag is how far behind its plan the load was in the end.
func (p *plan) lag() time.Duration { return p.last - p.lastPlanned }

// lateP99 is how late the latest hundredth of the operations was sent, at least.
func (p *plan) lateP99() time.Duration { return time.Duration(p.late().ValueAtQuantile(99)) }

// How far behind its plan a load may be in the end, whichever is more.
const (
	maxLag   = 0.05                   // of the time that was planned
	leastLag = 100 * time.Millisecond // a shorter lag is a busy machine's hiccup
)

// behind reports whether a load fell behind its plan for good, so that the rate was another than
// the scenario's. One that was late for a while and caught up is in order: its response times count
// the waiting. How long the last answers took doesn't matter either.
//
// A burst is worked off after its time, by as many workers as there are: that is what it is for.
// It is behind only where the next one comes before.
func (p *plan) behind(l scenarios.LoadSpec) bool {
	return p.lag() > allowedLag(l, p.lastPlanned)
}

// allowedLag returns how late the last operation of a load may be sent, where it was planned then.
func allowedLag(l scenarios.LoadSpec, lastPlanned time.Duration) time.Duration {
	switch {
	case l.Model != scenarios.Bursts:
		return max(leastLag, time.Duration(maxLag*float64(lastPlanned)))
	case l.Burst.Every == 0:
		return math.MaxInt64
	}
	return l.Burst.Every.Std()
}

// crowd counts the workers of an open load that are busy with an operation.
type crowd struct {
	_                [64]byte // what others write lies on other cache lines
	now, most, taken atomic.Int64
	_                [64]byte
}

func (c *crowd) enter() {
	now := c.now.Add(1)
	c.taken.Add(1) // after it: see ended
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
}

func (c *crowd) leave() { c.now.Add(-1) }

// ended returns how many operations were taken and have ended, or a few less.
func (c *crowd) ended() int64 { return c.taken.Load() - c.now.Load() }

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
	workers, _ := l.spec.WorkerRange()
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

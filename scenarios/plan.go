package scenarios

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// plan is how an open load's plan was kept.
//
// An operation is late for one of two reasons, and each is kept by itself. It was
// starved: every worker was busy when it was due, so that none had taken it yet. Or a
// worker stood ready for it, and woke late: that is the driver's own doing, or its
// machine's.
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

// behind reports whether a load fell behind its plan for good, so that the rate was
// another than the scenario's. One that was late for a while and caught up is in
// order: its response times count the waiting. How long the last answers took doesn't
// matter either.
//
// A burst is worked off after its time, by as many workers as there are: that is what it is for.
// It is behind only where the next one comes before.
func (p *plan) behind(l LoadSpec) bool {
	return p.lag() > allowedLag(l, p.lastPlanned)
}

// allowedLag returns how late the last operation of a load may be sent, where it was planned then.
func allowedLag(l LoadSpec, lastPlanned time.Duration) time.Duration {
	switch {
	case l.Model != Bursts:
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

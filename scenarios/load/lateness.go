package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Lateness is how the plan of an [ArrivalRate] was kept: how long after it was planned each operation was sent.
//
// An operation is late for one of two reasons, and each is kept by itself. It was queued: every worker was busy
// when it was due, so that none had taken it yet. Or a worker was ready for it, and woke late: that is the
// driver's own doing, or its machine's.
type Lateness struct {
	Queued, Timer *hdrhistogram.Histogram // in nanoseconds

	// The operation that was sent last: when it was planned, and when it was sent.
	LastPlanned, LastSent time.Duration
}

// NewLateness returns an empty lateness, which holds times up to longest.
func NewLateness(longest time.Duration) *Lateness {
	return &Lateness{Queued: newHistogram(longest), Timer: newHistogram(longest)}
}

func (l *Lateness) reset() {
	l.Queued.Reset()
	l.Timer.Reset()
	l.LastPlanned, l.LastSent = 0, 0
}

// Add takes when an operation was planned, when it was sent, and whether every worker was busy when it was due.
func (l *Lateness) Add(planned, sent time.Duration, queued bool) {
	l.trackLast(planned, sent)
	// A time beyond the histogram isn't counted here: its response time is longer still.
	if queued {
		recordClamped(l.Queued, sent-planned)
	} else {
		recordClamped(l.Timer, sent-planned)
	}
}

func (l *Lateness) trackLast(planned, sent time.Duration) {
	if sent >= l.LastSent {
		l.LastPlanned, l.LastSent = planned, sent
	}
}

// merge takes another part of the same load.
func (l *Lateness) merge(o *Lateness) {
	l.Queued.Merge(o.Queued)
	l.Timer.Merge(o.Timer)
	l.trackLast(o.LastPlanned, o.LastSent)
}

// All returns the lateness of all operations.
func (l *Lateness) All() *hdrhistogram.Histogram {
	all := newHistogram(time.Duration(l.Queued.HighestTrackableValue()))
	all.Merge(l.Queued)
	all.Merge(l.Timer)
	return all
}

// FinalLag returns how far behind its plan the load was in the end.
func (l *Lateness) FinalLag() time.Duration { return l.LastSent - l.LastPlanned }

// FellBehind reports whether the load fell behind the plan of p for good, so that its rate was another than the
// planned one. A load that was late for a while and caught up kept its plan: its response times count the
// waiting. How long the last answers took doesn't matter either.
func (l *Lateness) FellBehind(p Pacer) bool { return l.FinalLag() > p.AllowedLag(l.LastPlanned) }

package load

import (
	"time"

	"github.com/fleetmark/fleetmark/internal/hdr"
)

// Lateness says how well the plan of an [ArrivalRate] was kept: how long after its planned time
// each operation was sent.
//
// An operation is late for one of two reasons, which are counted separately. Either it was queued
// because every worker was busy when it was due, or a worker was free and its timer woke late,
// which is due to the driver or its machine.
type Lateness struct {
	Queued, Timer *hdr.Histogram // in nanoseconds

	// When the operation that was sent last was planned, and when it was sent.
	LastPlanned, LastSent time.Duration
}

// NewLateness returns an empty Lateness for times up to longest.
func NewLateness(longest time.Duration) *Lateness {
	return &Lateness{Queued: hdr.New(longest), Timer: hdr.New(longest)}
}

func (l *Lateness) reset() {
	l.Queued.Reset()
	l.Timer.Reset()
	l.LastPlanned, l.LastSent = 0, 0
}

// Add adds an operation: when it was planned and sent, and whether every worker was busy when it
// was due.
func (l *Lateness) Add(planned, sent time.Duration, queued bool) {
	l.trackLast(planned, sent)
	// A time beyond the histogram doesn't count as Overflow here, because the response time, which
	// is longer, does.
	if queued {
		l.Queued.Record(sent - planned)
	} else {
		l.Timer.Record(sent - planned)
	}
}

func (l *Lateness) trackLast(planned, sent time.Duration) {
	if sent >= l.LastSent {
		l.LastPlanned, l.LastSent = planned, sent
	}
}

// Merge adds another part of the same load, whose histograms must have the same range.
func (l *Lateness) Merge(o *Lateness) {
	l.Queued.Merge(o.Queued)
	l.Timer.Merge(o.Timer)
	l.trackLast(o.LastPlanned, o.LastSent)
}

// All returns the lateness of all operations.
func (l *Lateness) All() *hdr.Histogram {
	all := hdr.New(l.Queued.Highest())
	all.Merge(l.Queued)
	all.Merge(l.Timer)
	return all
}

// FinalLag returns how far behind its plan the load was at its end.
func (l *Lateness) FinalLag() time.Duration { return l.LastSent - l.LastPlanned }

// FellBehind reports whether the load was behind the plan of p at its end, so that its rate wasn't
// the planned one. A load that was late for a while and caught up kept its plan; its response times
// include the wait. How long the last answers took doesn't matter.
func (l *Lateness) FellBehind(p Pacer) bool { return l.FinalLag() > AllowedLag(p, l.LastPlanned) }

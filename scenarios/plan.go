package scenarios

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// plan is how an open load's plan was kept.
type plan struct {
	late              *hdrhistogram.Histogram // planned to sent
	lastPlanned, last time.Duration           // the operation sent last: when it should have been, and when it was
}

func (p *plan) sent(planned, sent time.Duration) {
	if sent >= p.last {
		p.lastPlanned, p.last = planned, sent
	}
}

// lag is how far behind its plan the load was in the end.
func (p *plan) lag() time.Duration { return p.last - p.lastPlanned }

// lateP99 is how late the latest hundredth of the operations was sent, at least.
func (p *plan) lateP99() time.Duration { return time.Duration(p.late.ValueAtQuantile(99)) }

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
	allowed := max(leastLag, time.Duration(maxLag*float64(p.lastPlanned)))
	if l.Model == Bursts {
		if l.Burst.Every == 0 {
			return false
		}
		allowed = l.Burst.Every.Std()
	}
	return p.lag() > allowed
}

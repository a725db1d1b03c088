package health

import (
	"fmt"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// maxWorkers is the largest result of workersFor. It equals scenarios.MaxWorkers, which a test
// checks.
const maxWorkers = 65536

// workersFor returns how many workers can sustain a rate of operations that each keep a worker for
// the given time: as many as are busy on average (Little's law, L = λW), plus twice the square root
// of that, so that hardly any operation waits if arrivals are random (the square-root rule of
// queueing theory).
func workersFor(perSecond float64, took time.Duration) int {
	busy := perSecond * took.Seconds()
	return max(1, int(math.Ceil(min(busy+2*math.Sqrt(busy), maxWorkers))))
}

// minSlowdown is how many times as long as at a rate that held operations must take, for a rate at
// which all workers were busy to be the devices' limit. If operations didn't slow down, more
// workers would have reached a higher rate.
const minSlowdown = 2

// A Trial is a rate that a search for the highest rate tried and that didn't hold.
type Trial struct {
	Rate     float64       // operations per second
	To       float64       // the highest rate that the search may try
	Findings []Finding     // of this trial
	Pacing   *Pacing       // nil if there was no plan
	Quickest time.Duration // the shortest mean time that an operation kept its worker at a rate that held; 0 if none held
}

// LimitElsewhere returns what limited the trial's rate, if not the devices: the fleet's process,
// the harness, a driver that left operations unsent although workers were idle, or workers that
// were all busy while operations took hardly longer than before. It returns "" if it was the
// devices, as far as the numbers show.
func (t Trial) LimitElsewhere() string {
	for i := len(t.Findings) - 1; i >= 0; i-- {
		if f := t.Findings[i]; f.Kind == FleetSaturated || f.Kind == HarnessSaturated {
			return f.String()
		}
	}
	p := t.Pacing
	switch {
	case p == nil:
		return ""
	case p.BusyPeak < p.MaxWorkers && p.NotSent > 0:
		return fmt.Sprintf("at %s at most %d of %d workers were busy at once: the driver was too slow, or its machine",
			plaintext.PerSecond(t.Rate), p.BusyPeak, p.MaxWorkers)
	case p.BusyPeak < p.MaxWorkers || p.Queued == 0:
		return ""
	case t.Quickest > 0 && p.Took >= minSlowdown*t.Quickest:
		return ""
	}
	took := t.Quickest
	if took == 0 {
		took = p.Took
	}
	allow := "set load.workers to that, or leave it out"
	if p.AutoWorkers {
		allow = "set load.workers to that, for no more are started by themselves, or begin lower (load.rate)"
	}
	return fmt.Sprintf("at %s %s, and an operation took %v, hardly longer than before; "+
		"%s (load.breakpoint.to) wants about %s workers: %s",
		plaintext.PerSecond(t.Rate), allBusy(p.MaxWorkers), p.Took.Round(10*time.Microsecond),
		plaintext.PerSecond(t.To), plaintext.Thousands(workersFor(t.To, took)), allow)
}

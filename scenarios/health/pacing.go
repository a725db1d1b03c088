package health

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// Pacing is how well the plan of an open load was kept. An operation is sent late for one of two
// reasons: it was queued because every worker was busy when it was due, or a worker was idle but
// its timer woke late.
type Pacing struct {
	Planned, NotSent int64         // operations
	PlanLength       time.Duration // 0: the plan has no length

	Queued, Timer      int64         // operations that were sent, by what they waited for
	LatenessP99        time.Duration // 99th percentile over all of them
	TimerP90, TimerP99 time.Duration // of those that waited for a timer
	LastPlanned, Lag   time.Duration // of the operation sent last: when it was due, and how late it was
	FellBehind         bool          // it was so late that the rate wasn't the planned one

	BusyPeak, MaxWorkers int           // the most workers that were busy at once, and that there may be
	AutoWorkers          bool          // workers were started as needed
	Took                 time.Duration // how long an operation kept its worker, on average; 0 if unknown
	PeakRate             float64       // the highest planned rate, in operations per second; 0 for bursts
}

// queuedFraction returns the share of operations that were due while every worker was busy.
func (p *Pacing) queuedFraction() float64 {
	if p.Queued+p.Timer == 0 {
		return 0
	}
	return float64(p.Queued) / float64(p.Queued+p.Timer)
}

// behindSchedule says how far behind its plan a load was, how many operations weren't sent, and
// what the cause was. share is the driver's share of all cores.
func (p *Pacing) behindSchedule(share float64) string {
	notSent, length := "", p.LastPlanned
	if p.NotSent > 0 {
		length = max(length, p.PlanLength)
		notSent = fmt.Sprintf("%s of %s planned operations were not sent; ",
			plaintext.Thousands(p.NotSent), plaintext.Thousands(p.Planned))
	}
	return notSent + fmt.Sprintf("the last operation was sent %v after its time, in a plan of %v; "+
		"of the latest 1%% each was %v late or more; %s; "+
		"where a worker stood ready the latest 1%% was %v late or more; the driver used %.0f%% of all cores",
		p.Lag.Round(time.Microsecond), length.Round(time.Microsecond), p.LatenessP99.Round(time.Microsecond), p.cause(),
		p.TimerP99.Round(time.Microsecond), 100*share)
}

// cause says why a load was behind its plan: too few workers, or a driver that was late although
// workers were idle.
func (p *Pacing) cause() string {
	if p.BusyPeak < p.MaxWorkers {
		return fmt.Sprintf("at most %d of %d workers were busy at once: the driver was too slow",
			p.BusyPeak, p.MaxWorkers)
	}
	allow := "allow more (load.workers), or ask for less"
	if p.AutoWorkers {
		allow = "no more are started by themselves; name a number (load.workers), or ask for less"
	}
	if p.PeakRate > 0 && p.Took > 0 {
		allow = fmt.Sprintf("an operation took %v, so that %s wants about %d: %s",
			p.Took.Round(10*time.Microsecond), plaintext.PerSecond(p.PeakRate), workersFor(p.PeakRate, p.Took), allow)
	}
	return fmt.Sprintf("%s of %s operations (%.0f%%) were due while %s: %s",
		plaintext.Thousands(p.Queued), plaintext.Thousands(p.Queued+p.Timer), 100*p.queuedFraction(),
		allBusy(p.MaxWorkers), allow)
}

func allBusy(workers int) string {
	if workers == 1 {
		return "the one worker was busy"
	}
	return fmt.Sprintf("all %d workers were busy", workers)
}

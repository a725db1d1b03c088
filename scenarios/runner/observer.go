package runner

import (
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// A Phase says what a repetition is for.
type Phase string

// The phases, in the order of a run.
const (
	WarmUp   Phase = "warm-up"
	Timed    Phase = "timed"
	Profiled Phase = "profiled"
)

// A Repetition identifies one repetition of the load, and says what is known about it before it
// begins.
type Repetition struct {
	Scenario string
	Phase    Phase
	Number   int           // number within its phase, from 1
	Total    int           // repetitions of its phase
	Planned  int64         // operations; 0 if the load ends after a time and they aren't planned
	Duration time.Duration // 0 if the load ends after a number of operations
	Rate     float64       // the rate that a search is trying, in operations per second; 0 if this is no trial
}

// Progress says how far a repetition is.
type Progress struct {
	Done, Failed, Retries int64
	Elapsed               time.Duration

	PlannedRate float64        // operations per second that are planned now; 0 without a plan
	P50, P99    time.Duration  // of the response times of the last seconds; 0 if there were none
	Classes     map[string]int // failures by class; nil if there are none

	// Invalid says why the run is certain to be invalid. It is empty if that isn't known.
	Invalid string

	// Plan is the length of the load's plan, and DoneInPlan is how many operations succeeded in it.
	// Both are 0 until the repetition has ended, and for a load without a plan.
	Plan       time.Duration
	DoneInPlan int64

	Waves []results.Wave // of a rollout, as far as it came
}

// An Observer is told how a run goes. Only one goroutine calls it at a time. Every view of a run
// (progress bars, lines, pages) is an Observer.
type Observer interface {
	Begin(Repetition)              // the load begins
	Progress(Repetition, Progress) // called several times a second

	// Preparing says what is being done before the repetition begins, such as "opening
	// connections", and for how many of the devices that is done.
	Preparing(r Repetition, what string, done, devices int)
	End(Repetition, Progress) // the load has ended
}

// discard is an Observer that ignores everything.
type discard struct{}

func (discard) Preparing(Repetition, string, int, int) {}
func (discard) Begin(Repetition)                       {}
func (discard) Progress(Repetition, Progress)          {}
func (discard) End(Repetition, Progress)               {}

// progressInterval is the time between two calls of Progress or Preparing.
const progressInterval = 200 * time.Millisecond

// everyInterval calls report every progressInterval until stop is called. After stop has returned,
// it doesn't call report any more.
func everyInterval(report func()) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				report()
			}
		}
	}()
	return func() { close(ended); <-done }
}

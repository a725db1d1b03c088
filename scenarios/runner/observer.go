package runner

import (
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// A Phase says what a repetition is for.
type Phase string

// The phases, in the order in which a run has them.
const (
	WarmUp   Phase = "warm-up"
	Timed    Phase = "timed"
	Profiled Phase = "profiled"
)

// A Repetition is one run of the load: which one it is, and what is known of it before it begins.
type Repetition struct {
	Scenario string
	Phase    Phase
	Number   int           // of its phase, from 1
	Total    int           // of its phase
	Planned  int64         // operations; 0 if the load ends after a time, and they aren't planned
	Duration time.Duration // 0 if the load ends after a number of operations
	Rate     float64       // operations per second that a search is trying; 0 if this is no trial
}

// Progress says how far a repetition has come.
type Progress struct {
	Done, Failed, Retries int64
	Elapsed               time.Duration

	PlannedRate float64        // operations per second that are planned now; 0 without a plan
	P50, P99    time.Duration  // of the response times of the last seconds; 0 if there were none
	Classes     map[string]int // failures by class; nil if there are none

	// Invalid says why the run is certain to be invalid. It is empty while that isn't known.
	Invalid string

	// Plan is how long the plan of a load was, and DoneInPlan how many operations succeeded in that
	// time. Both are 0 before the repetition has ended, and for a load without a plan.
	Plan       time.Duration
	DoneInPlan int64

	Waves []results.Wave // of a rollout, as far as it came
}

// An Observer is told how a run goes, by one goroutine at a time. Every view of a run under way
// (progress bars, lines, pages) is one.
type Observer interface {
	Begin(Repetition)              // its load begins
	Progress(Repetition, Progress) // several times a second

	// Preparing says what is done before the repetition begins, such as "opening connections", and
	// for how many of the devices that has been done.
	Preparing(r Repetition, what string, done, devices int)
	End(Repetition, Progress) // its load has ended
}

// discard is an Observer that ignores what it hears.
type discard struct{}

func (discard) Preparing(Repetition, string, int, int) {}
func (discard) Begin(Repetition)                       {}
func (discard) Progress(Repetition, Progress)          {}
func (discard) End(Repetition, Progress)               {}

// progressInterval is how often an observer is told of progress.
const progressInterval = 200 * time.Millisecond

// everyInterval calls report once every progressInterval until stop is called. When stop has
// returned, report isn't called any more.
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

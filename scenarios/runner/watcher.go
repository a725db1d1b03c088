package runner

import (
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Kind says what a repetition is for.
type Kind string

// The kinds, in the order in which a run has them.
const (
	WarmUp   Kind = "warm-up"
	Timed    Kind = "timed"
	Profiled Kind = "profiled"
)

// Step is one repetition of a run.
type Step struct {
	Scenario string
	Kind     Kind
	Number   int // of its kind, from 1
	Of       int
	Planned  int64         // operations; 0 where only time tells
	Duration time.Duration // 0 where only operations tell
	Rate     float64       // operations a second that a search is trying; 0 without one
}

// Live is how a repetition stands.
type Live struct {
	Done, Failed, Retries int64
	Elapsed               time.Duration

	PlannedRate float64        // operations a second that are planned now; 0 where there is no plan
	P50, P99    time.Duration  // of the response times of the last seconds; 0 where there were none
	Classes     map[string]int // failures by class; nil is none

	// Invalid says why the run is certain to be invalid, as soon as that is known; else empty.
	Invalid string

	// Plan is how long the plan of a load was, and DoneInPlan how many operations succeeded in that
	// time. Both are 0 before the repetition has ended, and for a load without a plan.
	Plan       time.Duration
	DoneInPlan int64

	Waves []results.Wave // of a rollout, as far as it came
}

// Watcher is told how a run goes, by one goroutine at a time. Every view of a run
// under way (bars, lines, pages) is one.
type Watcher interface {
	Begin(Step)
	Progress(Step, Live) // some times a second

	// Preparing tells what is done before the repetition begins, such as "opening connections", and
	// for how many devices of how many so far.
	Preparing(s Step, what string, done, of int)
	End(Step, Live)
}

// noWatcher is for runs that nobody looks at.
type noWatcher struct{}

func (noWatcher) Preparing(Step, string, int, int) {}
func (noWatcher) Begin(Step)                       {}
func (noWatcher) Progress(Step, Live)              {}
func (noWatcher) End(Step, Live)                   {}

// progressEvery is how often a watcher hears of a repetition.
const progressEvery = 200 * time.Millisecond

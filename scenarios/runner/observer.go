package runner

import (
	"iter"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
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

// Repetitions yields the repetitions of a scenario, in the order in which a run does them. How many
// operations each has isn't set.
func Repetitions(s scenarios.Spec) iter.Seq[Repetition] {
	return func(yield func(Repetition) bool) {
		for _, part := range []struct {
			phase Phase
			n     int
		}{{WarmUp, s.Warmup}, {Timed, s.Repetitions}, {Profiled, s.Profiled}} {
			for n := 1; n <= part.n; n++ {
				rep := Repetition{
					Scenario: s.Name, Phase: part.phase, Number: n, Total: part.n, Duration: s.Load.TotalDuration(),
				}
				if !yield(rep) {
					return
				}
			}
		}
	}
}

// A Stage says what a repetition is doing.
type Stage string

// The stages of a repetition, in their order.
const (
	Joining     Stage = "waiting for agents"   // of a merged run, before its first repetition
	Readying    Stage = "agents getting ready" // of a merged run, before its first repetition
	Resetting   Stage = "resetting the fleet"  // so that it forgets the repetition before
	Updating    Stage = "updating devices"     // of a load that only verifies, so that there is something to verify
	Opening     Stage = "opening connections"  // before a load that has a duration
	AtGate      Stage = "at the gate"          // of a merged run: agents wait until all are ready for the repetition
	Load        Stage = "load"                 // operations are sent
	Soaking     Stage = "soaking"              // the load is a rollout that waits after a wave
	Draining    Stage = "draining"             // nothing more is due, and operations are running
	Profiles    Stage = "writing profiles"     // of a profiled repetition
	Reconciling Stage = "reading the ledger"   // to compare it with what the client claims
	Uploading   Stage = "uploading results"    // of a merged run: agents send what they measured
	Releasing   Stage = "checking for leaks"   // after the last repetition
)

// Stages returns every stage, in the order of a repetition.
func Stages() []Stage {
	return []Stage{
		Joining, Readying, Resetting, Updating, Opening, AtGate, Load, Soaking, Draining, Profiles, Reconciling, Uploading,
		Releasing,
	}
}

// Activity says how far a stage outside the load is. The zero Activity says that it is over.
type Activity struct {
	Stage    Stage
	Done, Of int           // devices or connections, or agents of a merged run; Of is 0 if they aren't counted
	Elapsed  time.Duration // since the stage began

	// Agents says how the agents of a merged run are, and WaitingFor names one that the others wait
	// for, and says what it does. Both are zero in other runs.
	Agents     AgentsStatus
	WaitingFor string
}

// AgentsStatus says how the agents of a merged run are. It is zero in other runs.
type AgentsStatus struct {
	Of    int // agents, including those that are only fleets
	Alive int // agents that said something in the last half of the lease

	// Silent names the agent that has said nothing for the longest time, which is SilentFor. It is
	// empty if all are alive.
	Silent    string
	SilentFor time.Duration

	// Behind names the agent whose intervals the merged ones wait for, and BehindBy says how much
	// load time others are ahead of it. It is empty if none is far behind.
	Behind   string
	BehindBy time.Duration
}

// Progress says how far the load of a repetition is.
type Progress struct {
	Stage   Stage // Load, Soaking or Draining; empty when the load has ended
	Elapsed time.Duration

	// Uncounted is the last part of Elapsed, which the figures below don't cover yet. It is 0 but in
	// merged runs, whose agents send their figures in intervals.
	Uncounted time.Duration

	Done, Failed, Retries int64
	InFlight              int64          // operations that are running
	NotSent               int64          // operations that were due and not sent at the end of the last interval
	PlannedRate           float64        // operations per second that are planned now; 0 without a plan
	P50, P99              time.Duration  // of the response times of the last seconds; 0 if there were none
	Classes               map[string]int // failures by class; nil if there are none

	// Invalid says why the run is certain to be invalid, and Failing why it is certain to fail. They
	// are empty if that isn't certain.
	Invalid, Failing string

	// Plan is the length of the load's plan, and DoneInPlan is how many operations succeeded in it.
	// Both are 0 until the repetition has ended, and for a load without a plan.
	Plan       time.Duration
	DoneInPlan int64

	// Waves are the waves of a rollout, as far as it came, and WaveCount is how many there are to be.
	// SoakLeft is how much longer the rollout waits after a wave.
	Waves     []results.Wave
	WaveCount int
	SoakLeft  time.Duration

	Agents AgentsStatus // of a merged run
}

// An Observer is told how a run goes. Only one goroutine calls it at a time. Every view of a run
// (progress bars, lines, pages) is an Observer.
type Observer interface {
	// Doing says what is being done before the load of the repetition begins or after it has ended.
	// In a merged run, it may be called between the end of all agents' loads and End. It is called
	// several times a second if that takes noticeable time, and then once with the zero Activity when
	// it is over.
	Doing(Repetition, Activity)
	Begin(Repetition)              // the load begins
	Progress(Repetition, Progress) // called several times a second
	End(Repetition, Progress)      // the load has ended
}

// discard is an Observer that ignores everything.
type discard struct{}

func (discard) Doing(Repetition, Activity)    {}
func (discard) Begin(Repetition)              {}
func (discard) Progress(Repetition, Progress) {}
func (discard) End(Repetition, Progress)      {}

// progressInterval is the time between two calls of Progress or Doing.
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

// reportActivity tells the observer what a repetition is doing outside its load, until stop is
// called. count returns how far that is; it may be nil.
func (s *Session) reportActivity(rep Repetition, stage Stage, count func() (done, of int)) (stop func()) {
	if _, ok := s.observer.(discard); ok {
		return func() {}
	}
	started, reported := time.Now(), false
	stopTicks := everyInterval(func() {
		a := Activity{Stage: stage, Elapsed: time.Since(started)}
		if count != nil {
			a.Done, a.Of = count()
		}
		reported = true
		s.observer.Doing(rep, a)
	})
	return func() {
		if stopTicks(); reported {
			s.observer.Doing(rep, Activity{})
		}
	}
}

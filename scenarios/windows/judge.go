package windows

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Judge judges the thresholds of a scenario that have windows. It is fed with the intervals of
// the timed repetitions, one after another. A nil Judge judges nothing.
type Judge struct {
	// Step is a time that all windows are multiples of. Intervals end at its multiples.
	Step time.Duration

	// Abort, which must be set, is called when a threshold with abort has failed and the load can
	// still be broken off.
	Abort func()

	thresholds []*threshold // by the index of the scenario's threshold; nil for one without windows

	aborted atomic.Pointer[threshold] // the one that ended the run; nil if none did
	failed  atomic.Pointer[threshold] // the first that failed; nil if none has
}

// New returns the judge of a scenario that pushes size bytes, and whose times are at most longest. It
// returns nil if no threshold has windows.
func New(s scenarios.Spec, size int64, longest time.Duration) *Judge {
	j := &Judge{Step: s.WindowStep()}
	if j.Step == 0 {
		return nil
	}
	for _, t := range s.Thresholds {
		var of *threshold
		if t.Window > 0 {
			of = newThreshold(t, s.Load, size, longest)
		}
		j.thresholds = append(j.thresholds, of)
	}
	return j
}

// Begin begins a timed repetition.
func (j *Judge) Begin(repetition int) {
	if j == nil {
		return
	}
	for _, t := range j.thresholds {
		if t != nil {
			t.begin(repetition)
		}
	}
}

// Add takes the next interval of the repetition. It breaks off the repetition if a threshold with
// abort has failed, unless the load or its plan is over anyway.
func (j *Judge) Add(v *load.Interval) {
	if j.aborted.Load() != nil {
		return
	}
	for _, t := range j.thresholds {
		if t == nil {
			continue
		}
		t.add(v)
		if t.failed && (v.Plan > 0 || v.Last || t.undo.failed) { // the window before may not be judged again
			j.failed.CompareAndSwap(nil, t)
		}
		if t.of.Abort && t.failed && j.aborted.CompareAndSwap(nil, t) && !v.Last && (v.Plan == 0 || v.End < v.Plan) {
			j.Abort()
		}
	}
}

// Aborted reports whether a threshold with abort has failed, so that the run ends early.
func (j *Judge) Aborted() bool { return j != nil && j.aborted.Load() != nil }

// Failing returns which threshold has failed, so that the run is certain to fail, and whether the run
// ends early. It returns "" if none has. It may be called at any time.
func (j *Judge) Failing() string {
	if j == nil {
		return ""
	}
	if t := j.aborted.Load(); t != nil {
		return fmt.Sprintf("threshold %v failed: the run ends early (abort: true)", t.of)
	}
	if t := j.failed.Load(); t != nil {
		return fmt.Sprintf("threshold %v failed", t.of)
	}
	return ""
}

// Outcome returns the outcome of the scenario's threshold with the given index. It reports false if
// that has no windows.
func (j *Judge) Outcome(i int) (results.ThresholdOutcome, bool) {
	if j == nil || i >= len(j.thresholds) || j.thresholds[i] == nil {
		return results.ThresholdOutcome{}, false
	}
	return j.thresholds[i].outcome(j.aborted.Load() == j.thresholds[i]), true
}

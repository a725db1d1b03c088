package results

import (
	"errors"
	"time"
)

// A Baseline is what later runs are held against: the content of
// BASELINE_METRICS.md.
type Baseline struct {
	Machine   Machine
	Revision  string    // of the source that was measured
	GoVersion string    // that built it
	Created   time.Time // UTC, whole seconds
	Scenarios []BaselineScenario

	// Benchmarks are Go benchmarks, an entry per command that measured them. May be nil.
	Benchmarks []GoBenchmarks

	Sections []Section // what else the page says, in its order

	// Sources are digests of the code that was measured, such as of "delivery", by
	// which a later tree can be told from it. May be nil.
	Sources map[string]string

	// History is the hand-written "Optimization history": Markdown, kept as it is.
	// No line of it may begin with "Benchmark" or "Unit", which benchstat would
	// take for results.
	History string
}

// A BaselineScenario is one scenario of a baseline.
type BaselineScenario struct {
	Name            string
	WorkloadDigest  string // as Run.WorkloadDigest
	Command         string // how to measure it again
	Repetitions     int
	Counts          Counts
	ClientsWordOnly bool
	Interference    *Interference // while it was measured; nil where that isn't known
	Yardstick       *Yardstick    // of the machine, likewise
	Records         []Record
}

// BaselineFile is the baseline's usual name, at the root of the repository.
const BaselineFile = "BASELINE_METRICS.md"

// ErrEdited is the cause of an [*InputError] about a baseline page whose
// generated part is no longer what was generated.
var ErrEdited = errors.New("edited by hand")

// Scenario finds a scenario of the baseline by its name.
func (b *Baseline) Scenario(name string) (*BaselineScenario, bool) {
	for i := range b.Scenarios {
		if b.Scenarios[i].Name == name {
			return &b.Scenarios[i], true
		}
	}
	return nil, false
}

// Section finds a section by its name.
func (b *Baseline) Section(name string) (*Section, bool) {
	for i := range b.Sections {
		if b.Sections[i].Name == name {
			return &b.Sections[i], true
		}
	}
	return nil, false
}

// JudgeRun holds a run against the baseline's scenario of the same name. The
// baseline may be nil, and need not have the scenario: then nothing is judged,
// and the judgement's reason says so.
//
// A run that did not come to its end has no verdict, for it might have had another
// one whole; what it measured stands beside the baseline all the same. What makes
// it invalid was seen, and stays.
func JudgeRun(base *Baseline, run Run, records []Record) *Judgement {
	j := judgeWhole(base, run, records)
	reason, partial := map[Status]string{
		StatusInterrupted: "the run was interrupted",
		StatusRunning:     "the run never ended",
		StatusFailed:      "the run failed",
	}[run.Status]
	if !partial || !run.Valid {
		return j
	}
	j.Verdict, j.Reason = "", reason
	if len(records) == 0 { // rows would say that all of the baseline is missing
		j.HasBaseline, j.Rows = false, nil
	}
	return j
}

func judgeWhole(base *Baseline, run Run, records []Record) *Judgement {
	c := Conditions{Disturbed: run.Harness.Interference.Disturbed(), Repetitions: run.Repetitions}
	if !run.Valid {
		c.Invalid = run.Invalid
		if len(c.Invalid) == 0 {
			c.Invalid = []string{"the run is marked invalid, without a reason"}
		}
	}
	if base == nil {
		return Judge(nil, records, c)
	}
	scenario, ok := base.Scenario(run.Scenario)
	if !ok {
		j := Judge(nil, records, c)
		if j.Verdict == "" {
			j.Reason = "the baseline doesn't have the scenario " + run.Scenario
		}
		return j
	}
	c.SameMachine = base.Machine.SameAs(run.Machine)
	c.Pace = pace(scenario.Yardstick, run.Harness.Yardstick)
	c.SameWorkload = run.WorkloadDigest != "" && run.WorkloadDigest == scenario.WorkloadDigest
	return Judge(scenario, records, c)
}

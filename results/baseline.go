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

// BaselineOf returns a run as a page with its scenario alone, for other runs to be judged by.
func BaselineOf(run Run, records []Record) *Baseline {
	return &Baseline{Machine: run.Machine, Revision: run.Revision, Scenarios: []BaselineScenario{{
		Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: run.Command, Repetitions: run.Repetitions,
		Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly,
		Interference: run.Harness.Interference, Yardstick: run.Harness.Yardstick, Records: records,
	}}}
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

// Package baseline keeps the page that later runs are compared with, BASELINE_METRICS.md.
//
// What goes in: a [Page], made by whoever measured it. It has the machine, the records of each
// [Scenario], Go benchmarks as go test printed them, each further [Section] with its figures, and the
// optimization history, which people write. What comes out: Markdown that a person reads, benchstat reads
// and a program reads, and the Page again.
//
//		Section ─┐
//		Run ─────┴─> Page ── Write ──> BASELINE_METRICS.md ── Read ──> Page
//
//	 1. [FromRun] makes a page of one run. A [SectionWriter] puts a section together so that no text in it
//	    breaks out of its paragraph or cell.
//	 2. [Write] refuses what wouldn't come back as it is. It puts the samples into blocks of the Go benchmark
//	    format, and all else that a program wants, the facts, into a block of JSON with a digest of the page.
//	 3. [Read] finds the parts by their marks, which are HTML comments, and returns an error with its line if
//	    the page was cut short, damaged, or edited outside its optimization history.
//
// The package never knows how a section is measured, whether a run is better or worse than the page, or
// which targets a project has. It takes no clock, and reads and writes no file but the one it is handed.
package baseline

import (
	"errors"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// A Page is what later runs are held against: the content of
// BASELINE_METRICS.md.
type Page struct {
	Machine   results.Machine
	Revision  string    // of the source that was measured
	GoVersion string    // that built it
	Created   time.Time // UTC, whole seconds
	Scenarios []Scenario

	// Benchmarks are Go benchmarks, an entry per command that measured them. May be nil.
	Benchmarks []results.GoBenchmarks

	Sections []Section // what else the page says, in its order

	// Sources are digests of the code that was measured, such as of "delivery", by
	// which a later tree can be told from it. May be nil.
	Sources map[string]string

	// History is the hand-written "Optimization history": Markdown, kept as it is.
	// No line of it may begin with "Benchmark" or "Unit", which benchstat would
	// take for results.
	History string
}

// A Scenario is one scenario of a baseline.
type Scenario struct {
	Name            string
	WorkloadDigest  string // as results.Run.WorkloadDigest
	Command         string // how to measure it again
	Repetitions     int
	Counts          results.Counts
	ClientsWordOnly bool
	Interference    *results.Interference // while it was measured; nil where that isn't known
	Yardstick       *results.Yardstick    // of the machine, likewise
	Records         []results.Record
}

// FileName is the baseline's usual name, at the root of the repository.
const FileName = "BASELINE_METRICS.md"

// ErrEdited is the cause of an [*results.InputError] about a baseline page whose
// generated part is no longer what was generated.
var ErrEdited = errors.New("edited by hand")

// Scenario finds a scenario of the baseline by its name.
func (b *Page) Scenario(name string) (*Scenario, bool) {
	for i := range b.Scenarios {
		if b.Scenarios[i].Name == name {
			return &b.Scenarios[i], true
		}
	}
	return nil, false
}

// FromRun returns a run as a page with its scenario alone, for other runs to be judged by.
func FromRun(run results.Run, records []results.Record) *Page {
	return &Page{Machine: run.Machine, Revision: run.Revision, Scenarios: []Scenario{{
		Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: run.Command, Repetitions: run.Repetitions,
		Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly,
		Interference: run.Harness.Interference, Yardstick: run.Harness.Yardstick, Records: records,
	}}}
}

// Section finds a section by its name.
func (b *Page) Section(name string) (*Section, bool) {
	for i := range b.Sections {
		if b.Sections[i].Name == name {
			return &b.Sections[i], true
		}
	}
	return nil, false
}

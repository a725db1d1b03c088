// Package baseline keeps the page that later runs are compared with, BASELINE_METRICS.md.
//
// Its input is a [Page], made by whoever measured it: a machine, the records of each [Scenario], Go
// benchmarks as go test printed them, each further [Section] with its figures, and the optimization
// history, which people write. Its output is Markdown for people, for benchstat and for programs,
// and from that Markdown the Page again.
//
//	Section ─┐
//	Run ─────┴─> Page ── Write ──> BASELINE_METRICS.md ── Read ──> Page
//
// From the left:
//
//  1. [FromRun] makes a page of one run. A [SectionWriter] makes a section, and escapes the text in it.
//  2. [Write] returns an error for a page that would read back differently. It writes the samples in
//     blocks of the Go benchmark format, and the facts, which are everything else that a program
//     needs, in a block of JSON with a digest of the page.
//  3. [Read] finds the parts by their marks, which are HTML comments. It returns an error with a line
//     number if the page was cut short, damaged, or edited outside its optimization history.
//     [ReadBenchmarkFile] reads the Go benchmarks of a page, or the output of go test, so that a
//     command accepts either.
//
// The package never knows how a section is measured, whether a run is better or worse than the
// page, or which targets a project has. It has no clock, and writes no file itself.
package baseline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// FileName is the page's usual name, at the root of the repository.
const FileName = "BASELINE_METRICS.md"

// ErrEdited is the cause of an [*results.InputError] about a page that was edited outside its
// optimization history.
var ErrEdited = errors.New("edited by hand")

// A Page is what later runs are compared with. The fields that have a JSON name are among the
// page's facts.
type Page struct {
	Machine   results.Machine `json:"machine"`
	Revision  string          `json:"revision"`   // of the source that was measured
	GoVersion string          `json:"go_version"` // of the toolchain that built it
	Created   time.Time       `json:"created"`    // UTC, whole seconds
	Scenarios []Scenario      `json:"scenarios"`

	// Benchmarks are Go benchmarks, one element for each command that measured them. It may be nil.
	Benchmarks []results.GoBenchmarks `json:"-"`

	Sections []Section `json:"sections"` // further parts of the page, in order

	// Sources are digests of the source code that was measured, keyed by package, such as
	// "delivery". They show whether a later tree differs. It may be nil.
	Sources map[string]string `json:"sources"`

	// History is the optimization history, which people write: Markdown, kept as it is. None of its
	// lines may begin with "Benchmark" or "Unit", which benchstat would take for results.
	History string `json:"-"`
}

// A Scenario is a scenario of the page.
type Scenario struct {
	Name           string         `json:"name"`
	WorkloadDigest string         `json:"workload_digest"` // as in results.Run
	Command        string         `json:"command"`         // that measures it again
	Repetitions    int            `json:"repetitions"`
	Counts         results.Counts `json:"counts"`
	Unconfirmed    bool           `json:"clients_word_only"`
	Package        string         `json:"package,omitempty"` // of the client; empty: package delivery

	// Interference and ReferenceSpeed describe the machine while the scenario was measured. They
	// are nil if unknown.
	Interference   *results.Interference   `json:"interference,omitempty"`
	ReferenceSpeed *results.ReferenceSpeed `json:"yardstick,omitempty"`

	Records []results.Record `json:"-"`
}

// Scenario returns the scenario with the given name. It reports whether the page has one.
func (p *Page) Scenario(name string) (*Scenario, bool) {
	i := slices.IndexFunc(p.Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Scenarios[i], true
}

// Section returns the section with the given name. It reports whether the page has one.
func (p *Page) Section(name string) (*Section, bool) {
	i := slices.IndexFunc(p.Sections, func(s Section) bool { return s.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Sections[i], true
}

// FromRun returns a page with a single run, so that another run can be compared with it.
func FromRun(run results.Run, records []results.Record) *Page {
	client := run.Client.Package
	if client == results.DeliveryPackage {
		client = ""
	}
	return &Page{Machine: run.Machine, Revision: run.Revision, Scenarios: []Scenario{{
		Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: run.Command, Repetitions: run.Repetitions,
		Counts: run.Counts, Unconfirmed: run.Unconfirmed, Package: client,
		Interference: run.Harness.Interference, ReferenceSpeed: run.Harness.ReferenceSpeed, Records: records,
	}}}
}

// CheckUsable returns an [*results.InputError] if the run at path can't be a baseline, because it
// is invalid or did not finish.
func CheckUsable(path string, run results.Run) error {
	switch {
	case !run.Valid:
		return Unusable(path, "the run is invalid: "+strings.Join(run.Invalid, "; "))
	case run.Status != results.StatusFinished:
		return Unusable(path, fmt.Sprintf("the run is %s", run.Status))
	}
	return nil
}

// Unusable returns the error about a run that can't be a baseline.
func Unusable(path, problem string) error {
	return &results.InputError{Path: path, Problem: problem,
		Want: "a baseline wants a whole, valid run of the same machine"}
}

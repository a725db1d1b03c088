// Package baselinepage measures and writes the sections of the baseline page, BASELINE_METRICS.md: what
// operations cost, where their time and bytes go, how the code is tested, and whether the targets of
// fleetmark.yaml are met.
//
// A [Builder] measures a new page, in three steps: Try finds out early what can't be measured, AddRuns
// takes the runs that later runs are compared with, and Measure measures the sections. [Check] says
// whether an old page may still be believed, and [Rewrite] writes anew what a page takes from the code
// and from fleetmark.yaml. Each section is a small type that measures its figures and writes its text;
// package results holds the written form.
//
// It knows neither flags nor exit codes. Scenarios are run by a function that the caller hands in.
package baselinepage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Scenarios returns the names of the scenarios that later runs are compared with.
func Scenarios() []string { return []string{"rollout", "throughput"} }

// Options says what a page is measured with.
type Options struct {
	Project  project.Project // that the page is about
	History  string          // the hand-written optimization history
	Sections []string        // that are measured

	Revision      string    // of the source of the running program
	FleetCommand  []string  // the program and its arguments that lead to scenarios.ServeFleet
	OpcostCommand []string  // the program and its arguments that lead to anatomy.Serve
	Stderr        io.Writer // where a fleet's process writes its errors

	// Run runs a scenario to its end. command is how a reader of the page runs it again.
	Run func(ctx context.Context, spec scenarios.Spec, command string) (*Run, error)
	// Log is called with what is being measured.
	Log func(step string)

	Operations int // that the sections time and allocations look at, of each kind
	Benchmarks BenchmarkOptions
	TestLimit  time.Duration // how long the section tests may take
}

// A Run is a scenario that was run to its end.
type Run struct {
	Directory string
	Run       results.Run
	Records   []results.Record
	Row       report.SuiteRow // of a table of all scenarios of a suite
}

// An UnusableRunError says that a run which was just measured can't be part of a page.
type UnusableRunError struct{ Err error }

// Error returns the text of Err.
func (e *UnusableRunError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *UnusableRunError) Unwrap() error { return e.Err }

// A Builder measures a page.
type Builder struct {
	options  Options
	content  content
	sections []section
	asked    []string          // sections that are measured
	skipped  map[string]string // why other sections aren't, by name, if not because nobody asked
	trials   trials
}

// New returns the builder of a page without runs.
func New(o Options) *Builder {
	page := &baseline.Page{Created: time.Now().UTC().Truncate(time.Second), History: o.History}
	return &Builder{
		options: o, content: content{page, o.Project}, sections: newSections(),
		asked: slices.Clone(o.Sections), skipped: map[string]string{},
	}
}

// Page returns the page as far as it is known.
func (b *Builder) Page() *baseline.Page { return b.content.page }

// Measured returns the names of the sections that are measured: those that were asked for, without those
// that can't be measured here.
func (b *Builder) Measured() []string { return b.asked }

// wants reports whether any of the sections is measured.
func (b *Builder) wants(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(b.asked, n) })
}

// skip leaves a section out, and remembers why.
func (b *Builder) skip(name, reason string) {
	b.skipped[name] = reason
	b.asked = slices.DeleteFunc(b.asked, func(n string) bool { return n == name })
}

// AddRuns adds the runs in the given directories to the page, for later runs to be compared with. Its
// notes are worth showing to a person.
func (b *Builder) AddRuns(dirs []string) (notes []string, err error) {
	page := b.content.page
	for _, dir := range dirs {
		run, err := rundir.Load(dir)
		if err != nil {
			return nil, err
		}
		if err := baseline.CheckUsable(run.Path, run.Run); err != nil {
			return nil, err
		}
		if len(page.Scenarios) > 0 && !run.Machine.SameAs(page.Machine) {
			return nil, baseline.Unusable(run.Path, "it was measured on another machine than the first")
		}
		if disturbed := run.Harness.Interference.Disturbed(); disturbed != "" {
			notes = append(notes, fmt.Sprintf("%s: %s meanwhile: measure on a machine at rest if you can", run.Path, disturbed))
		}
		page.Machine, page.Revision, page.GoVersion = run.Machine, run.Revision, run.Machine.GoVersion
		scenario := baseline.FromRun(run.Run, run.Records).Scenarios[0]
		scenario.Command = withoutOutputFlags(run.Command)
		page.Scenarios = append(page.Scenarios, scenario)
	}
	return notes, nil
}

// outputFlag matches a flag that says where a run kept its files, which concerns nobody else.
var outputFlag = regexp.MustCompile(` --(out|baseline)[= ]('[^']*'|\S+)`)

// withoutOutputFlags returns a command without the flags that say where it kept its files.
func withoutOutputFlags(command string) string { return outputFlag.ReplaceAllString(command, "") }

// RunScenarios runs scenarios by name, and returns their directories. The first that can't be part of a
// page ends it with an [*UnusableRunError].
func (b *Builder) RunScenarios(ctx context.Context, names []string) ([]string, error) {
	var dirs []string
	for _, name := range names {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		run, err := b.runUsable(ctx, spec, "fleetmark run "+name)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, run.Directory)
	}
	return dirs, nil
}

// runUsable runs a scenario. It returns an [*UnusableRunError] if the run can't be part of a page.
func (b *Builder) runUsable(ctx context.Context, spec scenarios.Spec, command string) (*Run, error) {
	run, err := b.options.Run(ctx, spec, command)
	if err != nil {
		return nil, err
	}
	if err := baseline.CheckUsable(run.Directory, run.Run); err != nil {
		return nil, &UnusableRunError{err}
	}
	return run, nil
}

// Measure measures the sections that were asked for, and writes all sections into the page.
func (b *Builder) Measure(ctx context.Context) error {
	for _, name := range measuringOrder() {
		if name == "code" { // even if it isn't asked for
			if err := b.digestSource(); err != nil {
				return err
			}
		}
		if !b.wants(name) {
			continue
		}
		err := b.section(name).measure(ctx, b)
		if skipped, ok := errors.AsType[*skippedError](err); ok {
			b.skip(name, skipped.reason)
			continue
		}
		if err != nil {
			return err
		}
	}
	return b.write(nil)
}

func (b *Builder) section(name string) section {
	return b.sections[slices.IndexFunc(b.sections, func(s section) bool { return s.name() == name })]
}

// write writes all sections into the page; those that would have to be measured are taken from old, the
// sections of an earlier page, if it has them. The targets and the summary are written last, though they
// stand first, since they are about the figures of the others.
func (b *Builder) write(old []baseline.Section) error {
	written := make([]baseline.Section, len(b.sections))
	page := b.content.page
	page.Sections = nil
	for _, last := range []bool{false, true} {
		for i, s := range b.sections {
			if (s.name() == targetsName || s.name() == summaryName) != last {
				continue
			}
			var err error
			if written[i], err = b.writeSection(s, old); err != nil {
				return err
			}
			if !last {
				page.Sections = append(page.Sections, written[i])
			}
		}
	}
	page.Sections = written
	return nil
}

func (b *Builder) writeSection(s section, old []baseline.Section) (baseline.Section, error) {
	derived := s.derived(b.content)
	if !derived {
		for _, o := range old {
			if o.Name == s.name() {
				return o, nil
			}
		}
	}
	w := baseline.NewSection(s.name(), s.title())
	if !derived && !b.wants(s.name()) {
		reason := b.skipped[s.name()]
		if reason == "" {
			reason = "it was not asked for"
		}
		w.Command("Not measured: "+reason+". Asked for by", "fleetmark baseline --sections "+s.name())
		return w.Section()
	}
	s.write(w, b.content)
	return w.Section()
}

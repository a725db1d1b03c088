// Package baselinepage measures and writes the sections of the baseline page, BASELINE_METRICS.md:
// what operations cost, where their time and bytes go, how the code is tested, and whether the
// targets of fleetmark.yaml are met.
//
// Its input is a project with its fleetmark.yaml, and a function that runs a scenario. Its output
// is a [baseline.Page], or the reasons why an old one is stale.
//
// A [Builder] measures a new page in three steps: Try finds out early what can't be measured,
// AddRuns adds the runs that later runs are compared with, and Measure measures the sections and
// writes them. [Check] returns the reasons why an old page is stale, and [Rewrite] writes again
// what a page takes from the code and from fleetmark.yaml. newSections lists the sections; those
// without a measurement of their own are written from the rest of the page.
//
// The package knows neither flags nor exit codes, nor what the file of a page looks like: package
// baseline has its format.
package baselinepage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/batch"
)

// A Subject is what a page is about, besides the project's code.
type Subject struct {
	// Program is the name of the running program in commands; empty means fleetmark.
	Program string
	// Client is the name of the client that the program drives; empty means that of package delivery.
	Client string
}

// Scenarios returns the names or files of the scenarios that later runs are compared with: those
// that the project names, or else some of the catalog. A client of another module may be unable to
// roll out an update, so that its scenario pushes alone.
func (s Subject) Scenarios(p project.Project) []string {
	switch named := p.BaselineScenarios(); {
	case len(named) > 0:
		return named
	case s.Client != "":
		return []string{throughputName}
	}
	return []string{rolloutName, throughputName}
}

// command returns a command line of the program.
func (s Subject) command(args ...string) string {
	return shell.Join(append([]string{cmp.Or(s.Program, "fleetmark")}, args...)...)
}

// Options says what is measured for a page.
type Options struct {
	Project  project.Project // the project that the page is about
	Subject  Subject
	History  string   // the hand-written optimization history
	Sections []string // the sections to measure

	Revision      string    // the revision of the running program's source
	FleetCommand  []string  // the program and its arguments that lead to target.Serve
	OpcostCommand []string  // the program and its arguments that lead to opcost.Serve
	Stderr        io.Writer // where a fleet's process writes its errors

	// Run runs a scenario to its end, or returns an error. command is the command line with which a
	// reader of the page can repeat it.
	Run func(ctx context.Context, spec scenarios.Spec, command string) (*batch.Result, error)
	// Log is called with what is being measured.
	Log func(step string)

	Operations int // operations of each variant, for the sections time and allocations
	Benchmarks BenchmarkOptions
	TestLimit  time.Duration // how long the section tests may take
}

// An UnusableRunError says why a run that was just measured can't be part of a page.
type UnusableRunError struct{ error }

// Unwrap returns the reason.
func (e *UnusableRunError) Unwrap() error { return e.error }

// A Builder measures a page.
type Builder struct {
	options  Options
	content  content
	sections []section
	selected []string          // the sections to measure
	skipped  map[string]string // why sections that were asked for aren't measured, by name
}

// New returns the builder of a page that has no runs yet.
func New(o Options) *Builder {
	page := &baseline.Page{Created: time.Now().UTC().Truncate(time.Second), History: o.History}
	return &Builder{
		options: o, content: content{page, o.Project, o.Subject}, sections: newSections(),
		selected: slices.Clone(o.Sections), skipped: map[string]string{},
	}
}

// Page returns the page built so far.
func (b *Builder) Page() *baseline.Page { return b.content.page }

// Measured returns the names of the sections that are measured: those that were asked for, without
// those that can't be measured here.
func (b *Builder) Measured() []string { return b.selected }

// isSelected reports whether a section is measured.
func (b *Builder) isSelected(name string) bool { return slices.Contains(b.selected, name) }

// AddRuns adds the runs in the given directories to the page, for later runs to be compared with.
// The notes are for a person to read.
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
		if disturbed := run.Harness.Interference.Excess(); disturbed != "" {
			notes = append(notes, fmt.Sprintf("%s: %s meanwhile: measure on a machine at rest if you can",
				run.Path, disturbed))
		}
		page.Machine, page.Revision, page.GoVersion = run.Machine, run.Revision, run.Machine.GoVersion
		scenario := baseline.FromRun(run.Run, run.Records).Scenarios[0]
		scenario.Command = withoutOutputFlags(run.Command)
		page.Scenarios = append(page.Scenarios, scenario)
	}
	return notes, nil
}

// outputFlag matches a flag that says where a run kept its files, which is of no use to other
// people.
var outputFlag = regexp.MustCompile(` --(out|baseline)[= ]('[^']*'|\S+)`)

// withoutOutputFlags returns a command without the flags that say where it kept its files.
func withoutOutputFlags(command string) string { return outputFlag.ReplaceAllString(command, "") }

// Scenarios returns the names or files of the scenarios that later runs are compared with.
func (b *Builder) Scenarios() []string { return b.content.subject.Scenarios(b.content.project) }

// RunScenarios runs scenarios by name or file, and returns their run directories. It stops at the
// first run that can't be part of a page, with an [*UnusableRunError].
func (b *Builder) RunScenarios(ctx context.Context, names []string) ([]string, error) {
	var dirs []string
	for _, name := range names {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		run, err := b.runUsable(ctx, spec, b.content.subject.command("run", name))
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, run.Directory)
	}
	return dirs, nil
}

// runUsable runs a scenario. It returns an [*UnusableRunError] if the run can't be part of a page.
func (b *Builder) runUsable(ctx context.Context, spec scenarios.Spec, command string) (*batch.Result, error) {
	run, err := b.options.Run(ctx, spec, command)
	if err != nil {
		return nil, err
	}
	if err := baseline.CheckUsable(run.Directory, run.Run); err != nil {
		return nil, &UnusableRunError{err}
	}
	return run, nil
}

// Try finds out whether each section that was asked for can be measured, before anything takes
// minutes.
func (b *Builder) Try(ctx context.Context) error {
	return b.each(func(s section) error {
		if s.try == nil {
			return nil
		}
		return s.try(ctx, b)
	})
}

// Measure measures the sections that were asked for, and writes all sections into the page.
func (b *Builder) Measure(ctx context.Context) error {
	if err := b.digestSource(); err != nil {
		return err
	}
	if err := b.each(func(s section) error { return s.measure(ctx, b) }); err != nil {
		return err
	}
	return b.write(nil)
}

// each calls f for each section that was asked for, in the order in which they are measured. If f
// returns a [skippedError], each leaves the section out.
func (b *Builder) each(f func(section) error) error {
	for _, name := range measuringOrder() {
		if !b.isSelected(name) {
			continue
		}
		i := slices.IndexFunc(b.sections, func(s section) bool { return s.name == name })
		err := f(b.sections[i])
		if skipped, ok := errors.AsType[*skippedError](err); ok {
			b.skipped[name] = skipped.reason
			b.selected = slices.DeleteFunc(b.selected, func(n string) bool { return n == name })
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes all sections into the page. A section that would have to be measured is taken from
// old, the sections of an earlier page, if old has it. It writes the last section first, because
// the targets and the summary, which come first on the page, use the figures of the others.
func (b *Builder) write(old []baseline.Section) error {
	written := make([]baseline.Section, len(b.sections))
	for i, s := range slices.Backward(b.sections) {
		b.content.page.Sections = written[i+1:]
		var err error
		if written[i], err = b.writeSection(s, old); err != nil {
			return err
		}
	}
	b.content.page.Sections = written
	return nil
}

// writeSection returns a section of the page, or the section of an earlier page that is kept
// instead.
func (b *Builder) writeSection(s section, old []baseline.Section) (baseline.Section, error) {
	derived := s.derived(b.content)
	if !derived {
		for _, o := range old {
			if o.Name == s.name {
				return o, nil
			}
		}
	}
	w := baseline.NewSection(s.name, s.title)
	w.Program = b.content.subject.Program
	if derived || b.isSelected(s.name) {
		s.write(w, b.content)
	} else {
		w.Command("Not measured: "+cmp.Or(b.skipped[s.name], "it was not asked for")+". Asked for by",
			"fleetmark baseline --sections "+s.name)
	}
	return w.Section()
}

// A section is a part of the page: what it measures, and how it is written.
type section struct {
	name, title string // the name for programs, and the title for people

	// try finds out early whether the section can be measured. If it is nil, only measure does. If
	// the section can't be measured, both return a [skippedError] with the reason, which the page
	// then gives.
	try func(ctx context.Context, b *Builder) error

	// measure measures what the section shows. If it is nil, the section is written from the rest of
	// the page.
	measure func(ctx context.Context, b *Builder) error

	// write writes the section from what was measured and from the rest of the page. It must be
	// deterministic.
	write func(w *baseline.SectionWriter, c content)
}

// derived reports whether the section can be written without measuring anything. The benchmarks can
// be once their samples are on the page.
func (s section) derived(c content) bool {
	return s.measure == nil || s.name == benchmarksName && len(c.page.Benchmarks) > 0
}

// content is what sections are written from, besides their own measurements.
type content struct {
	page    *baseline.Page
	project project.Project
	subject Subject
}

// A skippedError says why a section can't be measured here.
type skippedError struct{ reason string }

func (e *skippedError) Error() string { return e.reason }

// The names of sections that other code refers to.
const (
	summaryName      = "summary"
	targetsName      = "targets"
	benchmarksName   = "benchmarks"
	timeName         = "time"
	allocationsName  = "allocations"
	streamingName    = "streaming"
	integrationName  = "integration"   // also the name of the suite that it shows
	largePayloadName = "large-payload" // also the name of the scenario that it shows
	rolloutName      = "rollout"       // a scenario, as is the next
	throughputName   = "throughput"
)

// newSections returns the sections of a page, in its order. Sections that show the same measurement
// share it.
func newSections() []section {
	bench, load, profiling := &benchmarks{}, &operations{}, &overhead{}
	opcost, suite, source := &opcostMeasurement{}, &suiteMeasurement{}, &sourceMeasurement{}
	return []section{
		{summaryName, "Summary", nil, nil, writeSummary},
		{targetsName, "Targets", nil, nil, writeTargets},
		{benchmarksName, "Go benchmarks", bench.try, bench.measure, writeBenchmarks},
		{"operations", "Operations under load", nil, load.measure, load.write},
		{timeName, "Where an operation's time goes", opcost.try, opcost.measure, opcost.writeTime},
		{allocationsName, "Where an operation's bytes and allocations go", opcost.try, opcost.measure, opcost.writeAllocations},
		{integrationName, "Integration", nil, suite.measure, suite.writeIntegration},
		{largePayloadName, "Large payload", nil, suite.measure, suite.writeLargePayload},
		{streamingName, "Streaming memory", opcost.try, opcost.measure, opcost.writeStreaming},
		{"profiling", "What profiling costs", nil, profiling.measure, profiling.write},
		{"code", "Code", nil, source.measure, source.writeCode},
		{"tests", "Tests and coverage", nil, source.test, source.writeTests},
		{"anti-patterns", "Anti-patterns", nil, nil, writeAntiPatterns},
		{"again", "How to measure again", nil, nil, writeAgain},
	}
}

// measuringOrder returns the names of the measured sections in the order in which they are
// measured: first those that need a quiet machine, last the tests, which heat it up.
func measuringOrder() []string {
	return []string{
		benchmarksName, "operations", timeName, allocationsName, streamingName, "profiling",
		integrationName, largePayloadName, "code", "tests",
	}
}

// Sections returns the names of the sections that are measured, in the page's order.
func Sections() (names []string) {
	for _, s := range newSections() {
		if s.measure != nil {
			names = append(names, s.name)
		}
	}
	return names
}

// ParseSections returns the names in a list such as "time,code". "all" means every section that is
// measured, and "none" means no section.
func ParseSections(list string) ([]string, error) {
	known := Sections()
	switch list {
	case "all":
		return known, nil
	case "none":
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q: want all, none, or some of %s", list, strings.Join(known, ", "))
		}
		names = append(names, name)
	}
	return names, nil
}

// lacks returns a clause that says why the project has nothing under a key of its configuration.
func lacks(p project.Project, key string) string {
	switch {
	case p.Root == "":
		return "this isn't a module or a repository, where " + project.ConfigFile + " could name them"
	case p.File == "":
		return "there is no " + project.ConfigFile + " at the root, which names them under " + key
	}
	return project.ConfigFile + " has no " + key
}

package baselinepage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// A section is a part of the page: what it measures, and how it is written.
type section struct {
	name, title string // for programs, and for people

	// try finds out early whether the section can be measured. If it is nil, only measure does. Both
	// return a [skippedError] if it can't be, for a reason that the page then gives.
	try func(ctx context.Context, b *Builder) error

	// measure measures what the section shows. If it is nil, the section is written from the rest of
	// the page.
	measure func(ctx context.Context, b *Builder) error

	// write writes the section from what was measured and from the rest of the page. The same
	// figures give the same text.
	write func(w *baseline.SectionWriter, c content)
}

// derived reports whether the section can be written without measuring anything: the benchmarks
// can once their samples are on the page.
func (s section) derived(c content) bool {
	return s.measure == nil || s.name == benchmarksName && len(c.page.Benchmarks) > 0
}

// content is what sections are written from, besides what they measured themselves.
type content struct {
	page    *baseline.Page
	project project.Project
}

// A skippedError says why a section can't be measured here.
type skippedError struct{ reason string }

func (e *skippedError) Error() string { return e.reason }

// The names of sections that others refer to.
const (
	summaryName      = "summary"
	targetsName      = "targets"
	benchmarksName   = "benchmarks"
	timeName         = "time"
	allocationsName  = "allocations"
	streamingName    = "streaming"
	integrationName  = "integration"   // also the suite that it shows
	largePayloadName = "large-payload" // also the scenario that it shows
)

// newSections returns the sections of a page, in its order. Those that show one measurement share it.
func newSections() []section {
	bench, load, profiling := &benchmarks{}, &operations{}, &overhead{}
	opcost, suite, source := &opcostMeasurement{}, &suiteMeasurement{}, &sourceMeasurement{}
	return []section{
		{summaryName, "Summary", nil, nil, writeSummary},
		{targetsName, "Targets", nil, nil, writeTargets},
		{benchmarksName, "Go benchmarks", bench.try, bench.measure, writeBenchmarks},
		{"operations", "Operations under load", nil, load.measure, load.write},
		{timeName, "Where an operation's time goes", nil, opcost.measure, opcost.writeTime},
		{allocationsName, "Where an operation's bytes and allocations go", nil, opcost.measure, opcost.writeAllocations},
		{integrationName, "Integration", nil, suite.measure, suite.writeIntegration},
		{largePayloadName, "Large payload", nil, suite.measure, suite.writeLargePayload},
		{streamingName, "Streaming memory", nil, opcost.measure, opcost.writeStreaming},
		{"profiling", "What profiling costs", nil, profiling.measure, profiling.write},
		{"code", "Code", nil, source.measure, source.writeCode},
		{"tests", "Tests and coverage", nil, source.test, source.writeTests},
		{"anti-patterns", "Anti-patterns", nil, nil, writeAntiPatterns},
		{"again", "How to measure again", nil, nil, writeAgain},
	}
}

// measuringOrder returns the names of the measured sections in the order in which they are
// measured: first those that want a machine at rest, last the tests, which heat it.
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

// ParseSections returns the names in a list such as "time,code". The list "all" stands for every
// section that is measured, and "none" for no section.
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

// lacks returns why the project has nothing under a key of its configuration.
func lacks(p project.Project, key string) string {
	switch {
	case p.Root == "":
		return "this isn't a module or a repository, where " + project.ConfigFile + " could name them"
	case p.File == "":
		return "there is no " + project.ConfigFile + " at the root, which names them under " + key
	}
	return project.ConfigFile + " has no " + key
}

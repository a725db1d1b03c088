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
type section interface {
	name() string  // for programs
	title() string // for people

	// derived reports whether the section can be written without measuring anything.
	derived(c content) bool

	// measure measures what the section shows. It returns a [skippedError] if that can't be
	// measured here, for a reason that the page then gives.
	measure(ctx context.Context, b *Builder) error

	// write writes the section from what was measured and from the rest of the page. The same
	// figures give the same text.
	write(w *baseline.SectionWriter, c content)
}

// A trier is a section that finds out early whether it can be measured.
type trier interface {
	// try returns a [skippedError] if there is nothing to measure.
	try(ctx context.Context, b *Builder) error
}

// content is what sections are written from, besides what they measured themselves.
type content struct {
	page    *baseline.Page
	project project.Project
}

// heading implements the first two methods of a section.
type heading struct{ id, text string }

func (h heading) name() string  { return h.id }
func (h heading) title() string { return h.text }

// fromPage is embedded in sections that measure nothing.
type fromPage struct{}

func (fromPage) derived(content) bool                    { return true }
func (fromPage) measure(context.Context, *Builder) error { return nil }

// fromMeasurement is embedded in sections that have to be measured.
type fromMeasurement struct{}

func (fromMeasurement) derived(content) bool { return false }

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

// newSections returns the sections of a page, in its order.
func newSections() []section {
	opcost, suite, source := &opcostMeasurement{}, &suiteMeasurement{}, &sourceMeasurement{}
	return []section{
		&summary{heading: heading{summaryName, "Summary"}},
		&targets{heading: heading{targetsName, "Targets"}},
		&benchmarks{heading: heading{benchmarksName, "Go benchmarks"}},
		&operations{heading: heading{"operations", "Operations under load"}},
		&timing{heading{timeName, "Where an operation's time goes"}, opcost},
		&allocations{heading{allocationsName, "Where an operation's bytes and allocations go"}, opcost},
		&integration{heading{integrationName, "Integration"}, suite},
		&largePayload{heading{largePayloadName, "Large payload"}, suite},
		&streaming{heading{streamingName, "Streaming memory"}, opcost},
		&overhead{heading: heading{"profiling", "What profiling costs"}},
		&code{heading{"code", "Code"}, source},
		&tests{heading{"tests", "Tests and coverage"}, source},
		&antiPatterns{heading: heading{"anti-patterns", "Anti-patterns"}},
		&again{heading: heading{"again", "How to measure again"}},
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
		if slices.Contains(measuringOrder(), s.name()) {
			names = append(names, s.name())
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

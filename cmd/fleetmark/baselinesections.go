package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/census"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// findings are all that the baseline page is made from.
type findings struct {
	page    *results.Baseline
	project project.Project   // that the command is run in
	kept    []results.Section // of the old page, where they are taken over
	asked   []string          // sections that are measured
	why     map[string]string // of those that were not, the reason, if it is another than that nobody asked
	extra   []operationRuns   // runs for the table of operations
	suite   []results.SuiteRow
	large   *measured
	parts   *anatomy.Report
	census  *census.Census
	names   map[string]census.TestNames
	tested  *census.Tested

	profiling []overhead       // of a push, processor time first
	trials    []*gobench.Trial // of the Go benchmarks, before they are measured
}

// pageSection is a section of the page: how it is told, and what it wants.
type pageSection struct {
	name, title string
	measured    bool // it is of figures of its own
	write       func(*results.SectionWriter, *findings)
}

// pageSections are all of them, in the page's order.
func pageSections() []pageSection {
	return []pageSection{
		{summarySection, "Summary", false, writeSummary},
		{targetsSection, "Targets", false, writeTargets},
		{benchmarksSection, "Go benchmarks", true, writeBenchmarks},
		{"operations", "Operations under load", true, writeOperations},
		{"time", "Where an operation's time goes", true, writeTime},
		{"allocations", "Where an operation's bytes and allocations go", true, writeAllocations},
		{"integration", "Integration", true, writeIntegration},
		{"large-payload", "Large payload", true, writeLarge},
		{"streaming", "Streaming memory", true, writeStreaming},
		{"profiling", "What profiling costs", true, writeProfiling},
		{"code", "Code", true, writeCode},
		{"tests", "Tests and coverage", true, writeTests},
		{"anti-patterns", "Anti-patterns", false, writeAntiPatterns},
		{"again", "How to measure again", false, writeAgain},
	}
}

// measuredSections are the ones that --sections chooses from.
func measuredSections() (names []string) {
	for _, s := range pageSections() {
		if s.measured {
			names = append(names, s.name)
		}
	}
	return names
}

// parseSections reads --sections.
func parseSections(list string) ([]string, error) {
	known := measuredSections()
	switch list {
	case "all":
		return known, nil
	case "none":
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(known, name) {
			return nil, &exitError{exitUsage, fmt.Sprintf("--sections %q: want all, none, or some of %s", list, strings.Join(known, ", "))}
		}
		names = append(names, name)
	}
	return names, nil
}

func (f *findings) wants(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.asked, n) })
}

// sections writes all of them. The targets and the summary come last, though they stand first: they
// are about the figures of the others.
func (f *findings) sections() error {
	all := pageSections()
	written := make([]results.Section, len(all))
	f.page.Sections = nil
	for _, last := range []bool{false, true} {
		for i, s := range all {
			if (s.name == targetsSection || s.name == summarySection) != last {
				continue
			}
			var err error
			if written[i], err = f.section(s); err != nil {
				return err
			}
			if !last {
				f.page.Sections = append(f.page.Sections, written[i])
			}
		}
	}
	f.page.Sections = written
	return nil
}

// isDerived reports whether a section can be written from the page and the configuration alone.
func (f *findings) isDerived(s pageSection) bool {
	return !s.measured || s.name == benchmarksSection && len(f.page.Benchmarks) > 0
}

func (f *findings) section(s pageSection) (results.Section, error) {
	derived := f.isDerived(s)
	for _, old := range f.kept {
		if !derived && old.Name == s.name {
			return old, nil
		}
	}
	w := results.NewSection(s.name, s.title)
	if !derived && !f.wants(s.name) {
		why := f.why[s.name]
		if why == "" {
			why = "it was not asked for"
		}
		w.Command("Not measured: "+why+". Asked for by", "fleetmark baseline --sections "+s.name)
		return w.Section()
	}
	s.write(w, f)
	return w.Section()
}

// lacks says why the project has nothing under a key of its configuration.
func lacks(p project.Project, key string) string {
	switch {
	case p.Root == "":
		return "this isn't a module or a repository, where " + project.ConfigFile + " could name them"
	case p.File == "":
		return "there is no " + project.ConfigFile + " at the root, which names them under " + key
	}
	return project.ConfigFile + " has no " + key
}

// stale says what of a page the code would write otherwise today: the sections that are
// made of the code and of the page's own figures.
func (f *findings) stale() ([]string, error) {
	var stale, has, want []string
	for _, s := range f.page.Sections {
		has = append(has, s.Name)
	}
	for _, s := range pageSections() {
		want = append(want, s.name)
	}
	if !slices.Equal(has, want) {
		return []string{fmt.Sprintf("has the sections %s, and they are %s now", orNone(has), strings.Join(want, ", "))}, nil
	}
	for i, s := range pageSections() {
		if !f.isDerived(s) {
			continue
		}
		now, err := f.section(s)
		if err != nil {
			return nil, err
		}
		if now.Body != f.page.Sections[i].Body || now.Title != f.page.Sections[i].Title {
			stale = append(stale, fmt.Sprintf("says under %q what the code and "+project.ConfigFile+" no longer say", f.page.Sections[i].Title))
		}
	}
	return stale, nil
}

// vanishedUnits says which metric of a page there isn't any more: the first.
func vanishedUnits(page *results.Baseline) []string {
	for _, s := range page.Scenarios {
		for _, r := range s.Records {
			for _, v := range r.Values {
				if _, ok := results.LookupUnit(v.Unit); !ok {
					return []string{fmt.Sprintf("has the metric %s in scenario %s, which there isn't any more", v.Unit, s.Name)}
				}
			}
		}
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

package baselinepage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// maxSummaryRows is the largest number of operations that the summary shows.
const maxSummaryRows = 8

// writeSummary answers a reviewer's first questions: what does an operation cost, what is its
// limit, and are the targets met?
func writeSummary(w *baseline.SectionWriter, c content) {
	targets := c.evaluate()
	if len(targets) > 0 {
		text := countTargets(targets)
		var unmet []string
		for _, t := range targets {
			if t.state == targetUnmet {
				unmet = append(unmet, fmt.Sprintf("%s is %s, wanted %s", t.Name, t.format(t.value), t.limit()))
			}
		}
		if len(unmet) > 0 {
			text += ": " + strings.Join(unmet, "; ")
		}
		w.Text("%s.", text)
	}
	c.summarizeBenchmarks(w, targets)
	if text := c.summarizeScenarios(); text != "" {
		w.Text("%s", text)
	}
}

// summarizeBenchmarks writes the Go benchmarks that aren't references, each figure with its target.
func (c content) summarizeBenchmarks(w *baseline.SectionWriter, targets []evaluatedTarget) {
	byFigure := map[string]evaluatedTarget{}
	for _, t := range targets {
		byFigure[t.Figure] = t
	}
	var rows [][]string
	omitted := 0
	for _, r := range c.benchmarkRows() {
		if r.isReference {
			continue
		}
		if len(rows) == maxSummaryRows {
			omitted++
			continue
		}
		figure := benchmarksName + "/" + r.id + " "
		// beside returns the text of a figure, followed by its target in parentheses if there is
		// one.
		beside := func(text, name string) string {
			t, ok := byFigure[figure+name]
			switch {
			case !ok:
				return text
			case t.state == targetForOtherMachine:
				return fmt.Sprintf("%s (%s on %s)", text, t.limit(), t.Machine)
			}
			return fmt.Sprintf("%s (%s)", text, t.limit())
		}
		cell := func(unit string) string {
			s, ok := r.Unit(unit)
			if !ok {
				return ""
			}
			if t, ok := byFigure[figure+unit]; ok {
				return beside(t.format(s.Median), unit)
			}
			return results.FormatValue(s.Median, unit)
		}
		ratio := ""
		if r.ratio > 0 {
			ratio = beside(formatFigure(r.ratio, project.FormFactor), "ratio")
		}
		rows = append(rows, []string{
			r.Name, cell(results.UnitMean), ratio, cell(results.UnitAllocations), cell(results.UnitBytes),
			cell(results.UnitThroughput),
		})
	}
	if len(rows) == 0 {
		return
	}
	w.Text("What one operation costs, by the Go benchmark of that name, and how that compares with its " +
		"reference, which does the least that the same work could take. In parentheses what is wanted:")
	w.Table("lrrrrr", []string{"operation", "time", "to its reference", "allocs/op", "B/op", "MB/s"}, rows)
	if omitted > 0 {
		w.Text("And %d more, under Go benchmarks.", omitted)
	}
}

// summarizeScenarios returns a sentence on how fast each scenario was, by its first operation that
// has a rate.
func (c content) summarizeScenarios() string {
	var parts []string
	for _, s := range c.page.Scenarios {
		medians := results.Medians(s.Records)
		for _, op := range []string{"deliver", "push", "verify"} {
			rate, ok := medians[op][results.UnitRate]
			if !ok {
				continue
			}
			text := fmt.Sprintf("%s: %s %s", s.Name, op, results.Rate.Format(rate))
			for _, unit := range []string{results.UnitP50, results.UnitP99} {
				if v, ok := medians[op][unit]; ok {
					text += ", " + strings.TrimSuffix(unit, "-ns/op") + " " + results.FormatValue(v, unit)
				}
			}
			parts = append(parts, text)
			break
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Under load, scenario " + strings.Join(parts, "; scenario ") + "."
}

// A targetState says whether a figure meets its target.
type targetState int

const (
	targetMet targetState = iota
	targetUnmet
	targetUnmeasured
	targetForOtherMachine // measured, but not judged
)

// An evaluatedTarget is a target with the figure that was measured.
type evaluatedTarget struct {
	project.Target
	value float64 // 0 if the figure wasn't measured
	state targetState
}

// evaluate compares the page's figures with the targets of the project.
func (c content) evaluate() []evaluatedTarget {
	figures := c.figures()
	var all []evaluatedTarget
	for _, t := range c.project.Config.Targets {
		e := evaluatedTarget{Target: t}
		v, ok := figures[t.Figure]
		switch e.value = v; {
		case !ok:
			e.state = targetUnmeasured
		case t.Machine != "" && !strings.Contains(c.page.Machine.CPU, t.Machine):
			e.state = targetForOtherMachine
		case !t.Limit.Holds(v):
			e.state = targetUnmet
		}
		all = append(all, e)
	}
	return all
}

// figures returns the figures that targets may name: the medians of the scenarios by "SCENARIO
// OPERATION METRIC", and the figures of the sections by "SECTION/FIGURE".
func (c content) figures() map[string]float64 {
	figures := map[string]float64{}
	for _, s := range c.page.Scenarios {
		for op, values := range results.Medians(s.Records) {
			for unit, v := range values {
				figures[fmt.Sprintf("%s %s %s", s.Name, op, unit)] = v
			}
		}
	}
	for _, s := range c.page.Sections {
		for name, v := range s.Figures {
			figures[s.Name+"/"+name] = v
		}
	}
	return figures
}

// writeTargets writes the limits that fleetmark.yaml sets, each with the measured figure.
func writeTargets(w *baseline.SectionWriter, c content) {
	targets := c.evaluate()
	if len(targets) == 0 {
		w.Text("There are none: %s.", lacks(c.project, "targets"))
		return
	}
	w.Text("What must hold, with what was measured here. The tests named hold the same, or stricter, on every " +
		"commit; this page does when it is measured.")
	var rows [][]string
	forOther := false
	for _, t := range targets {
		measured := "not measured"
		if t.state != targetUnmeasured {
			measured = t.format(t.value)
		}
		enforced := ""
		if t.EnforcedBy != "" {
			enforced = "`" + t.EnforcedBy + "`"
		}
		forOther = forOther || t.state == targetForOtherMachine
		rows = append(rows, []string{t.Name, t.limit(), measured, t.verdict(), enforced})
	}
	w.Table("lrrll", []string{"target", "wanted", "measured", "met", "enforced by"}, rows)
	w.Text("%s.", countTargets(targets))
	if forOther {
		w.Text("What was set for another machine is shown, and not judged: a time means something only beside " +
			"times of the same machine.")
	}
}

// format formats a figure in the form of the target's limit.
func (t evaluatedTarget) format(v float64) string { return formatFigure(v, t.Limit.Form) }

// limit returns the target's limit as text.
func (t evaluatedTarget) limit() string { return t.Limit.Text(t.format) }

// verdict returns the table cell that says whether the target is met.
func (t evaluatedTarget) verdict() string {
	switch t.state {
	case targetMet:
		return "yes"
	case targetUnmet:
		return "no"
	case targetForOtherMachine:
		return "set for " + t.Machine
	}
	return "–"
}

// countTargets returns a sentence that says how many targets are met.
func countTargets(targets []evaluatedTarget) string {
	n := map[targetState]int{}
	for _, t := range targets {
		n[t.state]++
	}
	text := fmt.Sprintf("%d of %d targets met", n[targetMet], len(targets)-n[targetForOtherMachine])
	for _, more := range []struct {
		state targetState
		text  string
	}{
		{targetUnmet, "%d not met"}, {targetUnmeasured, "%d not measured"},
		{targetForOtherMachine, "%d set for another machine"},
	} {
		if n[more.state] > 0 {
			text += ", " + fmt.Sprintf(more.text, n[more.state])
		}
	}
	return text
}

// writeAntiPatterns writes the mistakes that tests guard against, as fleetmark.yaml lists them.
func writeAntiPatterns(w *baseline.SectionWriter, c content) {
	patterns := c.project.Config.AntiPatterns
	if len(patterns) == 0 {
		w.Text("There are none: %s.", lacks(c.project, "anti_patterns"))
		return
	}
	w.Text("Mistakes that are easily made here, and the tests that fail when one is.")
	var rows [][]string
	var names []string
	packages := map[string]bool{}
	for _, p := range patterns {
		rows = append(rows, []string{p.Name, "`" + strings.Join(p.Tests, "`, `") + "`"})
		for _, test := range p.Tests {
			pkg, name, _ := strings.Cut(test, ".")
			packages["./"+pkg] = true
			names = append(names, strings.TrimPrefix(name, "Test"))
		}
	}
	w.Table("ll", []string{"anti-pattern", "tests"}, rows)
	slices.Sort(names)
	w.Text("All of them at once:")
	w.Commands(fmt.Sprintf("go test -run '^Test(%s)$' %s", strings.Join(slices.Compact(names), "|"),
		strings.Join(slices.Sorted(maps.Keys(packages)), " ")))
}

// writeAgain writes the commands with which a reader can measure again.
func writeAgain(w *baseline.SectionWriter, c content) {
	w.Text("Each section ends with its command. The whole page, with its optimization history kept, is measured " +
		"again by the first of these; the second says whether it may still be believed.")
	w.Commands("fleetmark baseline", "fleetmark baseline --check")
	if len(c.project.Config.Commands) == 0 {
		return
	}
	w.Text("Single operations, in the root of the repository:")
	var lines []string
	for _, command := range c.project.Config.Commands {
		lines = append(lines, "# "+command.Name)
		lines = append(lines, command.Run...)
	}
	w.Commands(lines...)
}

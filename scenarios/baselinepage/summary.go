package baselinepage

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// maxSummaryRows bounds the operations that the summary shows.
const maxSummaryRows = 8

// summary answers a reviewer's first questions: what does an operation cost, against which limit,
// and are the targets met?
type summary struct {
	heading
	fromPage
}

func (*summary) write(w *baseline.SectionWriter, c content) {
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

// summarizeBenchmarks writes the Go benchmarks that are no references, each figure beside its
// target.
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
		// beside returns the text of a figure with its target, if it has one, in parentheses.
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

// summarizeScenarios returns how fast each scenario was, by its first operation that has a rate.
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

package gobench

import (
	"fmt"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// ownTolerance is the smallest relative change that counts for a metric that a benchmark reports
// itself. Nothing is known about the metric's noise, so it is the same as for a time.
const ownTolerance = 0.05

// unit returns how a metric is tested. It reports false for MB/s, which follows from ns/op.
func (c *comparison) unit(name string) (sequential.Unit, bool) {
	known, _ := results.LookupUnit(name)
	u := sequential.Unit{Unit: known}
	u.Name = name
	switch {
	case name == results.UnitThroughput:
		return u, false
	case name == results.UnitAllocations:
		// The testing package rounds this metric down to a whole number. If that is always the
		// same, one more allocation is a change.
		u.Exact, u.Steady, u.Margin = true, true, known.Sequential
		return u, true
	case known.Name == name && !known.Exact && !known.Sequential.IsZero():
		u.Margin = known.Sequential
		return u, true
	}
	better, exact := c.declared.metadata(name)
	if better == 0 {
		better = c.Better[name]
	}
	if better == 0 {
		better = known.Better
	}
	u.Better, u.Exact, u.Steady = better, exact, exact
	u.Margin = results.Margin{Relative: ownTolerance, Absolute: true}
	u.Undirected = c.declared.problemOf(name)
	return u, true
}

// unitLines holds the Unit lines that benchmarks printed.
type unitLines struct{ text strings.Builder }

// add adds the lines that it doesn't have yet.
func (u *unitLines) add(lines []string) {
	for _, line := range lines {
		if !strings.Contains(u.text.String(), line+"\n") {
			u.text.WriteString(line + "\n")
		}
	}
}

// metadata returns the direction of a metric, which is 0 if no line declares it, and whether the
// metric is exact.
func (u *unitLines) metadata(name string) (better int, exact bool) {
	reader := benchfmt.NewReader(strings.NewReader(u.text.String()), "")
	for reader.Scan() { // problems reports damaged lines
	}
	_, tidied := benchunit.Tidy(1, name)
	units := reader.Units()
	assumption := units.Get(tidied, "assume")
	return units.GetBetter(tidied), assumption != nil && assumption.Value == "exact"
}

// A unitProblem says what is wrong with a Unit line.
type unitProblem struct{ unit, text string }

// problems returns what is wrong with the lines. A line with a problem declares nothing.
func (u *unitLines) problems() (list []unitProblem) {
	lines := strings.Split(u.text.String(), "\n")
	reader := benchfmt.NewReader(strings.NewReader(u.text.String()), "")
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.UnitMetadata:
			if rec.Key == "better" && rec.Value != "higher" && rec.Value != "lower" {
				text := fmt.Sprintf("Unit %s better=%s: want better=higher or better=lower", rec.OrigUnit, rec.Value)
				list = append(list, unitProblem{rec.OrigUnit, text})
			}
		case *benchfmt.SyntaxError:
			line := lines[rec.Line-1]
			text := fmt.Sprintf("%s: %s: want a line such as \"Unit probes/op better=lower\"", line, rec.Msg)
			p := unitProblem{text: text}
			if words := strings.Fields(line); len(words) > 1 {
				p.unit = words[1]
			}
			list = append(list, p)
		}
	}
	return list
}

// problemOf returns what is wrong with a line about the metric, or "".
func (u *unitLines) problemOf(unit string) string {
	for _, p := range u.problems() {
		if p.unit == unit {
			return p.text
		}
	}
	return ""
}

// warnings returns what is wrong with the lines, a sentence each.
func (u *unitLines) warnings() (list []string) {
	for _, p := range u.problems() {
		list = append(list, "a benchmark printed "+p.text)
	}
	return list
}

package baselinepage

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// A targetState says whether a figure meets its target.
type targetState int

const (
	targetMet targetState = iota
	targetUnmet
	targetUnmeasured
	targetForOtherMachine // measured, and not judged
)

// An evaluatedTarget is a target with the figure that was measured.
type evaluatedTarget struct {
	project.Target
	value float64 // 0 if it is unmeasured
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

// figures returns the figures that targets may be about: the medians of the scenarios by "SCENARIO
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

// targets are the limits that fleetmark.yaml sets, each beside the figure that was measured.
type targets struct {
	heading
	fromPage
}

func (*targets) write(w *baseline.SectionWriter, c content) {
	targets := c.evaluate()
	if len(targets) == 0 {
		w.Text("There are none: %s.", lacks(c.project, "targets"))
		return
	}
	w.Text("What must hold, with what was measured here. The tests named hold the same, or stricter, on every commit; this page does when it is measured.")
	var rows [][]string
	other := false
	for _, t := range targets {
		measured := "not measured"
		if t.state != targetUnmeasured {
			measured = formatFigure(t.value, t.Limit.Form)
		}
		enforced := ""
		if t.EnforcedBy != "" {
			enforced = "`" + t.EnforcedBy + "`"
		}
		other = other || t.state == targetForOtherMachine
		rows = append(rows, []string{t.Name, t.limit(), measured, t.verdict(), enforced})
	}
	w.Table("lrrll", []string{"target", "wanted", "measured", "met", "enforced by"}, rows)
	w.Text("%s.", countTargets(targets))
	if other {
		w.Text("What was set for another machine is shown, and not judged: a time means something only beside times of the same machine.")
	}
}

// limit returns what is wanted.
func (t evaluatedTarget) limit() string {
	return t.Limit.Text(func(v float64) string { return formatFigure(v, t.Limit.Form) })
}

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

// countTargets returns how many targets are met.
func countTargets(targets []evaluatedTarget) string {
	n := map[targetState]int{}
	for _, t := range targets {
		n[t.state]++
	}
	text := fmt.Sprintf("%d of %d targets met", n[targetMet], len(targets)-n[targetForOtherMachine])
	for _, more := range []struct {
		state targetState
		text  string
	}{{targetUnmet, "%d not met"}, {targetUnmeasured, "%d not measured"}, {targetForOtherMachine, "%d set for another machine"}} {
		if n[more.state] > 0 {
			text += ", " + fmt.Sprintf(more.text, n[more.state])
		}
	}
	return text
}

// formatFigure formats a figure as its limit is given.
func formatFigure(v float64, form project.Form) string {
	switch form {
	case project.FormBytes:
		return results.FormatValue(v, "peak-rss-B")
	case project.FormDecimalBytes:
		return decimalBytes(v)
	case project.FormDuration:
		return results.FormatValue(v, "ns/op")
	case project.FormPercent:
		return fmt.Sprintf("%.2f%%", v)
	case project.FormFactor:
		return fmt.Sprintf("%.2fx", v)
	}
	return results.FormatValue(v, "allocs/op")
}

// decimalBytes formats bytes in units of 1,000, with three digits.
func decimalBytes(v float64) string {
	units := []string{"B", "kB", "MB", "GB"}
	for len(units) > 1 && v >= 1000 {
		v, units = v/1000, units[1:]
	}
	if v >= 100 || units[0] == "B" {
		return fmt.Sprintf("%.0f%s", v, units[0])
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + units[0]
}

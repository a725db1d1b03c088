package baselinepage

import (
	"fmt"
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

// format formats a figure as the target's limit is given.
func (t evaluatedTarget) format(v float64) string { return formatFigure(v, t.Limit.Form) }

// limit returns what is wanted.
func (t evaluatedTarget) limit() string { return t.Limit.Text(t.format) }

// verdict returns whether the target is met.
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

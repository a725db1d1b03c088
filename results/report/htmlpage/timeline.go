package htmlpage

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// Bounds on the plots over time.
const (
	maxSteps      = 360 // of a side: an hour in steps of 10 s
	maxTimelines  = 8   // scenarios
	maxClasses    = 4   // of failures; the others are one
	maxStallWords = 3
)

// A timelineView holds the plots over time of one scenario, with a column for each side.
type timelineView struct {
	Title   string // the scenario, if there are several
	Columns []timeColumn
	Axis    string // says what the horizontal axis is
}

// A timeColumn holds the plots of one side, below each other.
type timeColumn struct {
	Class string // "base" or "now"
	Label string // "" if there is one side

	TopTitle template.HTML
	Top      template.HTML // labels above the plots
	Panels   []panel
	Bottom   template.HTML
}

// A panel is one plot over time, with the scale of its vertical axis.
type panel struct {
	Title, Aside string
	Keys         []panelKey
	Scale, Plot  template.HTML
}

// A panelKey is an entry of a panel's key: what a line or an area means. Class is the CSS class of the
// line or area, or "" for an entry that is only text.
type panelKey struct{ Class, Text string }

// A foldedTable is a table that readers unfold.
type foldedTable struct {
	Summary string
	Table   *table
}

// timelines draws what happened when, for each scenario that has intervals.
func (b *builder) timelines() section {
	var scenarios []string
	for _, t := range slices.Concat(b.Now.Timelines, b.Base.Timelines) {
		if !slices.Contains(scenarios, t.Scenario) {
			scenarios = append(scenarios, t.Scenario)
		}
	}
	shown, omitted := bounded.Head(scenarios, min(maxTimelines, b.limits.Figures))
	if len(shown) == 0 {
		return section{}
	}
	s := section{ID: "when", Title: "When it happened"}
	basis := "Response times count from when an operation was sent."
	if b.isPlanned() {
		basis = "Response times count from when an operation was planned."
	}
	if b.isService() {
		basis = "Times count from the trigger of the service until a device ran the update."
	}
	if len(b.Now.Timelines) > 0 && len(b.Base.Timelines) > 0 {
		basis += " Both sides have the same scales."
	}
	for i, scenario := range shown {
		d := timelineDrawing{builder: b, id: fmt.Sprintf("when-%d", i), title: scenario}
		for _, side := range b.sides() {
			j := slices.IndexFunc(side.Timelines, func(t evidence.Timeline) bool { return t.Scenario == scenario })
			if j < 0 {
				continue
			}
			class := "now"
			if side.role == svgplot.Base {
				class = "base"
			}
			d.sides = append(d.sides, timeSide{class: class, label: plaintext.Clip(side.Label, 40), timeline: side.Timelines[j]})
		}
		view := d.view()
		if len(shown) > 1 {
			view.Title = b.clip(scenario)
		}
		s.Timelines = append(s.Timelines, view)
		s.Tables = append(s.Tables, d.tables(view.Title)...)
		for _, sentence := range d.sentences() {
			if view.Title != "" {
				sentence = view.Title + ": " + sentence
			}
			s.Lead = append(s.Lead, b.sentence(sentence))
		}
	}
	s.Lead = append(s.Lead, basis)
	if omitted > 0 {
		s.Omitted = plaintext.Count(omitted, "scenario") + " left out; each run's own report has its plots."
	}
	return s
}

// isPlanned reports whether operations of a side were planned.
func (b *builder) isPlanned() bool {
	for _, t := range slices.Concat(b.Now.Timelines, b.Base.Timelines) {
		for _, r := range t.Repetitions {
			if slices.ContainsFunc(r.Intervals, func(v timeline.Interval) bool { return v.Planned > 0 }) {
				return true
			}
		}
	}
	return false
}

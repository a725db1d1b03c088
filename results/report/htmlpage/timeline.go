package htmlpage

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/rundir"
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

// A timeSide is the timeline of a side as it is drawn.
type timeSide struct {
	class, label string
	timeline     evidence.Timeline
	steps        []timeline.Interval // of all repetitions that are shown
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

// A timelineDrawing draws the plots of one scenario.
type timelineDrawing struct {
	*builder
	id, title string
	sides     []timeSide
	axis      *timeAxis
	merged    int // intervals that are one step
}

// view merges the intervals to be shown, and draws them.
func (d *timelineDrawing) view() timelineView {
	var timelines []evidence.Timeline
	for _, s := range d.sides {
		timelines = append(timelines, s.timeline)
	}
	d.axis = newTimeAxis(timelines)
	d.merge(min(maxSteps, d.limits.Rows))
	view := timelineView{Axis: d.axis.title()}
	panels := [][]panel{d.rate(), d.latency(), d.failures(), d.waiting()}
	tops := make([]*svgplot.Wide, len(d.sides))
	for i, s := range d.sides {
		tops[i] = d.axis.top(s.timeline)
	}
	for i, s := range d.sides {
		c := timeColumn{Class: s.class, Bottom: d.axis.bottom().Decoration()}
		if len(d.sides) > 1 {
			c.Label = s.label
		}
		if tops[i] != nil {
			c.TopTitle, c.Top = d.axis.topTitle(s.timeline, tops[i].Height).Decoration(), tops[i].Decoration()
		}
		for _, p := range panels {
			if p != nil {
				c.Panels = append(c.Panels, p[i])
			}
		}
		view.Columns = append(view.Columns, c)
	}
	return view
}

// merge makes the steps of each side, at most limit of them.
func (d *timelineDrawing) merge(limit int) {
	limit = max(limit, len(d.axis.numbers))
	count := func(s timeSide, n int) (steps int) {
		for _, r := range s.timeline.Repetitions {
			if d.axis.shows(r.Number) {
				steps += (len(r.Intervals) + n - 1) / n
			}
		}
		return steps
	}
	d.merged = 1
	for _, s := range d.sides {
		for count(s, d.merged) > limit {
			d.merged = max(d.merged+1, d.merged*count(s, d.merged)/limit)
		}
	}
	for i := range d.sides {
		s := &d.sides[i]
		for _, r := range s.timeline.Repetitions {
			if !d.axis.shows(r.Number) {
				continue
			}
			for _, v := range timeline.Merge(timeline.JoinEnd(r.Intervals), d.merged) {
				if v.EndNS > v.StartNS {
					s.steps = append(s.steps, v)
				}
			}
		}
	}
}

// sentences says what stands out, what is marked, and what is left out.
func (d *timelineDrawing) sentences() (list []string) {
	for _, s := range d.sides {
		prefix := ""
		if len(d.sides) > 1 {
			prefix = s.label + ": "
		}
		for _, sentence := range s.timeline.StallSentences(maxStallWords) {
			list = append(list, prefix+sentence)
		}
		if words := d.axis.markWords(s.timeline, 4); words != "" {
			list = append(list, prefix+"Marked: "+words+".")
		}
		if d.axis.hasBreaches(s.timeline) {
			list = append(list, prefix+"In the windows with a dashed frame the limit of a threshold was broken.")
		}
	}
	if d.merged > 1 {
		list = append(list, fmt.Sprintf("Each step of the plots, and each row of the table, is %d intervals. Its "+
			"percentiles, and what was in flight or not sent, are the highest of theirs.", d.merged))
	}
	if n := d.axis.omitted; n > 0 {
		list = append(list, fmt.Sprintf("Left out are %s after the first %d; %s has them.",
			plaintext.Count(n, "repetition"), firstRepetitions, rundir.TimelineFile))
	}
	return list
}

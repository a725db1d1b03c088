package htmlpage

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
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

// A panelKey says what a line or an area of a panel is. Class is that of its look; it is "" for words
// alone.
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
	basis := "Response times count from when an operation was planned, if it was, or else from when it was sent."
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
			c.TopTitle, c.Top = d.axis.topTitle(tops[i].Height).Decoration(), tops[i].Decoration()
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
			for _, v := range timeline.Merge(r.Intervals, d.merged) {
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

// A scale maps values to vertical positions of a panel.
type scale struct {
	height      float64
	low, high   float64
	logarithmic bool
	ticks       []float64
	format      func(float64) string
}

// headroom is the room for labels above the highest value, in pixels.
const headroom = 17

// y returns the position of a value.
func (s *scale) y(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.logarithmic {
		share = math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return s.height - 1 - min(max(share, 0), 1)*(s.height-1-headroom)
}

// linearScale returns a scale from 0 to high.
func linearScale(height, high float64, format func(float64) string) *scale {
	if !(high > 0) {
		high = 1
	}
	s := &scale{height: height, high: high, format: format}
	s.ticks = svgplot.NiceSteps(0, high, 3)
	return s
}

// wideRatio is the ratio of the highest to the lowest response time from which on the scale is
// logarithmic, so that a stall doesn't hide what is usual.
const wideRatio = 20

// latencyScale returns a scale for response times.
func latencyScale(height float64, span svgplot.Span) *scale {
	if !span.Drawable() {
		span = svgplot.Span{High: 1}
	}
	if span.Low <= 0 || span.High/span.Low < wideRatio {
		return linearScale(height, span.High, nanoseconds)
	}
	s := &scale{height: height, low: span.Low / 1.1, high: span.High, logarithmic: true, format: nanoseconds}
	s.ticks = svgplot.LogSteps(s.low, s.high)
	if len(s.ticks) > 5 {
		powers := slices.DeleteFunc(slices.Clone(s.ticks), func(v float64) bool {
			_, fraction := math.Modf(math.Log10(v) + 1e-9)
			return fraction > 1e-6
		})
		if len(powers) > 1 {
			s.ticks = powers
		}
	}
	return s
}

// draw draws the labels of the scale, for the column to the left of the plot.
func (s *scale) draw() template.HTML {
	w := &svgplot.Wide{Height: s.height}
	before := ""
	for _, v := range s.ticks {
		label := svgplot.TickLabel(v, s.format)
		if label == before {
			continue
		}
		before = label
		w.Label("tick", svgplot.WideUnits-60, min(s.y(v)+4, s.height-1), "end", label)
	}
	return w.Decoration()
}

// begin returns a drawing of a side with its background.
func (d *timelineDrawing) begin(s timeSide, scale *scale) *svgplot.Wide {
	w := &svgplot.Wide{Height: scale.height}
	d.axis.draw(w, s.timeline)
	for _, v := range scale.ticks {
		w.Horizontal("grid", scale.y(v))
	}
	return w
}

// finish adds tooltips to a drawing, and makes it a panel.
func (d *timelineDrawing) finish(
	s timeSide, w *svgplot.Wide, scale *scale, name string, p panel, tooltip func(*timeline.Interval) string,
) panel {
	for i := range s.steps {
		v := &s.steps[i]
		from, to := d.axis.span(v)
		w.Tooltip(from, to, d.when(v)+": "+tooltip(v))
	}
	var words []string
	for _, k := range p.Keys {
		words = append(words, k.Text)
	}
	words = append(words, s.timeline.StallSentences(1)...)
	title := p.Title
	if len(d.sides) > 1 {
		title += ", " + s.label
	}
	p.Scale = scale.draw()
	p.Plot = w.Plot(fmt.Sprintf("%s-%s-%s", d.id, s.class, name), title+" over time: "+d.clip(d.title), strings.Join(words, "; "))
	return p
}

// when says which interval a step is.
func (d *timelineDrawing) when(v *timeline.Interval) string {
	text := timeline.FormatTime(v.Start()) + " to " + timeline.FormatTime(v.End())
	if len(d.axis.numbers) > 1 {
		text = fmt.Sprintf("repetition %d, %s", v.Repetition, text)
	}
	return text
}

// function returns a function of the steps of a side. value returns NaN where it has no value.
func (d *timelineDrawing) function(s timeSide, scale *scale, value func(*timeline.Interval) float64) []svgplot.Step {
	list := make([]svgplot.Step, len(s.steps))
	for i := range s.steps {
		list[i].From, list[i].To = d.axis.span(&s.steps[i])
		list[i].Y = value(&s.steps[i])
		if scale != nil {
			list[i].Y = scale.y(list[i].Y)
		}
	}
	return list
}

// peak labels the highest value of a side, and returns it. It returns 0 if there is none.
func (d *timelineDrawing) peak(
	w *svgplot.Wide, s timeSide, scale *scale, value func(*timeline.Interval) float64, label func(float64) string,
) {
	best, at := 0.0, -1
	for i := range s.steps {
		if v := value(&s.steps[i]); v > best {
			best, at = v, i
		}
	}
	if at < 0 {
		return
	}
	from, to := d.axis.span(&s.steps[at])
	x := (from + to) / 2
	w.Label("peak", x, scale.y(best)-5, svgplot.Anchor(x), label(best))
}

// rateLabel formats a rate without trailing zeros: "10/s".
func rateLabel(v float64) string { return svgplot.TickLabel(v, results.Rate.Format) }

// highest returns the highest value of any side.
func (d *timelineDrawing) highest(values ...func(*timeline.Interval) float64) (high float64) {
	for _, s := range d.sides {
		high = max(high, highestOf(s, values...))
	}
	return high
}

func highestOf(s timeSide, values ...func(*timeline.Interval) float64) (high float64) {
	for i := range s.steps {
		for _, value := range values {
			if v := value(&s.steps[i]); v > high {
				high = v
			}
		}
	}
	return high
}

// perSecond returns a count of an interval as a rate.
func perSecond(v *timeline.Interval, n int64) float64 {
	return float64(n) / (v.End() - v.Start()).Seconds()
}

// rate draws the planned and the achieved rate.
func (d *timelineDrawing) rate() (panels []panel) {
	planned := func(v *timeline.Interval) float64 { return perSecond(v, v.Planned) }
	succeeded := func(v *timeline.Interval) float64 { return perSecond(v, v.Succeeded) }
	scale := linearScale(130, d.highest(planned, succeeded), results.Rate.Format)
	for _, s := range d.sides {
		w := d.begin(s, scale)
		p := panel{Title: "Rate", Aside: "operations a second"}
		hasPlan := highestOf(s, planned) > 0
		line := d.function(s, scale, succeeded)
		w.Band("fill", line, d.function(s, scale, func(*timeline.Interval) float64 { return 0 }))
		if hasPlan {
			w.Steps("planned", d.function(s, scale, planned))
			p.Keys = append(p.Keys, panelKey{"planned", "planned, highest " + rateLabel(highestOf(s, planned))})
		}
		w.Steps("main", line)
		p.Keys = append(p.Keys, panelKey{"main", "succeeded, highest " + rateLabel(highestOf(s, succeeded))})
		d.peak(w, s, scale, succeeded, rateLabel)
		panels = append(panels, d.finish(s, w, scale, "rate", p, func(v *timeline.Interval) string {
			text := "succeeded " + rateLabel(succeeded(v))
			if hasPlan {
				text = "planned " + rateLabel(planned(v)) + ", " + text
			}
			return text
		}))
	}
	return panels
}

// latency draws the median, the 99th percentile and the highest response time.
func (d *timelineDrawing) latency() (panels []panel) {
	percentile := func(op string, of func(timeline.Times) int64) func(*timeline.Interval) float64 {
		return func(v *timeline.Interval) float64 {
			o, ok := v.Of(op)
			if !ok || o.Count <= 0 || of(o.Response) <= 0 {
				return math.NaN()
			}
			return float64(of(o.Response))
		}
	}
	p50 := func(op string) func(*timeline.Interval) float64 {
		return percentile(op, func(t timeline.Times) int64 { return t.P50NS })
	}
	p99 := func(op string) func(*timeline.Interval) float64 {
		return percentile(op, func(t timeline.Times) int64 { return t.P99NS })
	}
	highest := func(op string) func(*timeline.Interval) float64 {
		return percentile(op, func(t timeline.Times) int64 { return t.MaxNS })
	}
	span := svgplot.NewSpan()
	for _, s := range d.sides {
		for i := range s.steps {
			op := s.timeline.Op
			span.Include(p50(op)(&s.steps[i]), p99(op)(&s.steps[i]), highest(op)(&s.steps[i]))
		}
	}
	if !span.Drawable() {
		return nil
	}
	scale := latencyScale(150, span)
	aside := "linear scale"
	if scale.logarithmic {
		aside = "logarithmic scale"
	}
	for _, s := range d.sides {
		op := s.timeline.Op
		w := d.begin(s, scale)
		p := panel{Title: "Response time of " + d.clip(cmp.Or(op, "operations")), Aside: aside}
		upper, lower := d.function(s, scale, p99(op)), d.function(s, scale, p50(op))
		w.Band("fill", upper, lower)
		w.Steps("max", d.function(s, scale, highest(op)))
		w.Steps("p99", upper)
		w.Steps("main", lower)
		for _, k := range []struct {
			class, name string
			value       func(*timeline.Interval) float64
		}{{"main", "p50", p50(op)}, {"p99", "p99", p99(op)}, {"max", "max", highest(op)}} {
			text := k.name + ": none"
			if r := rangeOf(s, k.value); r.Drawable() {
				text = k.name + " " + nanoseconds(r.Low) + " to " + nanoseconds(r.High)
			}
			p.Keys = append(p.Keys, panelKey{k.class, text})
		}
		d.peak(w, s, scale, highest(op), func(v float64) string { return "max " + nanoseconds(v) })
		panels = append(panels, d.finish(s, w, scale, "latency", p, func(v *timeline.Interval) string {
			o, ok := v.Of(op)
			if !ok {
				return "nothing succeeded"
			}
			ns := func(n int64) string { return nanoseconds(float64(n)) }
			t := o.Response
			return fmt.Sprintf("p50 %s, p90 %s, p99 %s, max %s", ns(t.P50NS), ns(t.P90NS), ns(t.P99NS), ns(t.MaxNS))
		}))
	}
	return panels
}

func rangeOf(s timeSide, value func(*timeline.Interval) float64) svgplot.Span {
	span := svgplot.NewSpan()
	for i := range s.steps {
		span.Include(value(&s.steps[i]))
	}
	return span
}

// otherClass stands for the failures of rarer classes.
const otherClass = "other"

// failures draws failures by class on top of each other. It returns nil if nothing failed.
func (d *timelineDrawing) failures() (panels []panel) {
	totals := make(map[string]int64)
	for _, s := range d.sides {
		for i := range s.steps {
			for class, n := range s.steps[i].Classes {
				totals[class] += n
			}
		}
	}
	failed := func(v *timeline.Interval) float64 { return perSecond(v, v.Failed) }
	high := d.highest(failed)
	if high == 0 {
		return nil
	}
	classes := slices.SortedFunc(maps.Keys(totals), func(a, b string) int {
		return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a, b))
	})
	classes, _ = bounded.Head(classes, maxClasses)
	scale := linearScale(100, high, results.Rate.Format)
	for _, s := range d.sides {
		w := d.begin(s, scale)
		p := panel{Title: "Failures by class", Aside: "operations a second, the first class at the bottom"}
		sum := make([]float64, len(s.steps))
		lower := d.function(s, scale, func(*timeline.Interval) float64 { return 0 })
		layer := func(class, name string, count func(*timeline.Interval) int64) {
			total := int64(0)
			for i := range s.steps {
				sum[i] += perSecond(&s.steps[i], max(0, count(&s.steps[i])))
				total += max(0, count(&s.steps[i]))
			}
			if total == 0 {
				return
			}
			i := -1
			upper := d.function(s, scale, func(*timeline.Interval) float64 { i++; return sum[i] })
			w.Band("fail "+class, upper, lower)
			lower = upper
			p.Keys = append(p.Keys, panelKey{"fail " + class, plaintext.Clip(name, 30) + ", " + plaintext.Thousands(total)})
		}
		for i, class := range classes {
			layer(fmt.Sprintf("f%d", i), class, func(v *timeline.Interval) int64 { return v.Classes[class] })
		}
		layer("fx", otherClass, func(v *timeline.Interval) int64 {
			rest := v.Failed
			for _, class := range classes {
				rest -= v.Classes[class]
			}
			return rest
		})
		if len(p.Keys) == 0 {
			p.Keys = []panelKey{{"", "none failed"}}
		}
		d.peak(w, s, scale, failed, rateLabel)
		panels = append(panels, d.finish(s, w, scale, "failures", p, func(v *timeline.Interval) string {
			return plaintext.Thousands(v.Failed) + " failed" + inParentheses(classWords(v))
		}))
	}
	return panels
}

// classWords lists the failures of an interval by class, the most frequent first.
func classWords(v *timeline.Interval) string {
	classes := slices.SortedFunc(maps.Keys(v.Classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(v.Classes[b], v.Classes[a]), cmp.Compare(a, b))
	})
	shown, omitted := bounded.Head(classes, maxClasses)
	var words []string
	for _, class := range shown {
		words = append(words, plaintext.Clip(class, 30)+" "+plaintext.Thousands(v.Classes[class]))
	}
	if omitted > 0 {
		words = append(words, otherClass)
	}
	return strings.Join(words, ", ")
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// waiting draws how many operations were in flight, and how many were due and not sent.
func (d *timelineDrawing) waiting() (panels []panel) {
	inFlight := func(v *timeline.Interval) float64 { return float64(v.InFlight) }
	notSent := func(v *timeline.Interval) float64 { return float64(v.NotSent) }
	whole := func(v float64) string { return plaintext.Thousands(int64(v)) }
	high := d.highest(inFlight, notSent)
	scale := linearScale(100, high, whole)
	scale.ticks = wholeSteps(0, max(high, 1), 3)
	for _, s := range d.sides {
		w := d.begin(s, scale)
		p := panel{Title: "Waiting operations", Aside: "at the end of each interval"}
		line := d.function(s, scale, inFlight)
		w.Band("fill", line, d.function(s, scale, func(*timeline.Interval) float64 { return 0 }))
		w.Steps("main", line)
		p.Keys = append(p.Keys, panelKey{"main", "in flight, most " + whole(highestOf(s, inFlight))})
		peak := inFlight
		if most := highestOf(s, notSent); most > 0 {
			w.Steps("planned", d.function(s, scale, notSent))
			p.Keys = append(p.Keys, panelKey{"planned", "due and not sent, most " + whole(most)})
			if most > highestOf(s, inFlight) {
				peak = notSent
			}
		}
		d.peak(w, s, scale, peak, whole)
		panels = append(panels, d.finish(s, w, scale, "waiting", p, func(v *timeline.Interval) string {
			return fmt.Sprintf("%s in flight, %s due and not sent", plaintext.Thousands(v.InFlight), plaintext.Thousands(v.NotSent))
		}))
	}
	return panels
}

// tables returns a table of the steps of each side.
func (d *timelineDrawing) tables(title string) (list []foldedTable) {
	for _, s := range d.sides {
		name := "The numbers, step by step"
		if title != "" {
			name += ": " + title
		}
		if len(d.sides) > 1 {
			name += ", " + s.label
		}
		list = append(list, foldedTable{Summary: name, Table: d.table(s, name)})
	}
	return list
}

func (d *timelineDrawing) table(s timeSide, name string) *table {
	any := func(has func(*timeline.Interval) bool) bool {
		for i := range s.steps {
			if has(&s.steps[i]) {
				return true
			}
		}
		return false
	}
	count := func(of func(*timeline.Interval) int64) func(*timeline.Interval) string {
		return func(v *timeline.Interval) string { return plaintext.Thousands(of(v)) }
	}
	times := func(of func(timeline.Times) int64) func(*timeline.Interval) string {
		return func(v *timeline.Interval) string {
			if o, ok := v.Of(s.timeline.Op); ok {
				return results.Duration.Format(float64(of(o.Response)))
			}
			return "–"
		}
	}
	type column struct {
		name string
		text func(*timeline.Interval) string
	}
	columns := []column{{"time", d.when}}
	if any(func(v *timeline.Interval) bool { return v.Wave > 0 }) {
		columns = append(columns, column{"wave", func(v *timeline.Interval) string { return strconv.Itoa(v.Wave) }})
	}
	if any(func(v *timeline.Interval) bool { return v.Planned > 0 }) {
		columns = append(columns, column{"planned", count(func(v *timeline.Interval) int64 { return v.Planned })})
	}
	columns = append(columns,
		column{"sent", count(func(v *timeline.Interval) int64 { return v.Sent })},
		column{"succeeded", count(func(v *timeline.Interval) int64 { return v.Succeeded })},
		column{"failed", count(func(v *timeline.Interval) int64 { return v.Failed })},
		column{"not sent", count(func(v *timeline.Interval) int64 { return v.NotSent })},
		column{"in flight", count(func(v *timeline.Interval) int64 { return v.InFlight })},
		column{"p50", times(func(t timeline.Times) int64 { return t.P50NS })},
		column{"p99", times(func(t timeline.Times) int64 { return t.P99NS })},
		column{"max", times(func(t timeline.Times) int64 { return t.MaxNS })})
	if any(func(v *timeline.Interval) bool { return len(v.Classes) > 0 }) {
		columns = append(columns, column{"failed by class", classWords})
	}
	t := &table{Label: name}
	for i, c := range columns {
		class := "n"
		if i == 0 || c.name == "failed by class" {
			class = ""
		}
		t.Header = append(t.Header, cell{Text: c.name, Class: class})
	}
	for i := range s.steps {
		var row []cell
		for j, c := range columns {
			row = append(row, cell{Text: c.text(&s.steps[i]), Class: t.Header[j].Class, Head: j == 0})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

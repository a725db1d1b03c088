package htmlpage

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// A timeSide is the timeline of a side as it is drawn.
type timeSide struct {
	class, label string
	timeline     evidence.Timeline
	steps        []timeline.Interval // of all repetitions that are shown
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
	id := fmt.Sprintf("%s-%s-%s", d.id, s.class, name)
	p.Plot = w.Plot(id, title+" over time: "+d.clip(d.title), strings.Join(words, "; "))
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

// curve returns how a value changes over the steps of a side. The value is NaN where there is none.
func (d *timelineDrawing) curve(s timeSide, scale *scale, value func(*timeline.Interval) float64) []svgplot.Step {
	list := make([]svgplot.Step, len(s.steps))
	for i := range s.steps {
		list[i].From, list[i].To = d.axis.span(&s.steps[i])
		list[i].Y = scale.y(value(&s.steps[i]))
	}
	return list
}

// peak labels the highest value of a side, if any is above 0.
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

// zero is a function whose curve is the bottom of a panel.
func zero(*timeline.Interval) float64 { return 0 }

// perSecond returns a count of an interval as a rate.
func perSecond(v *timeline.Interval, n int64) float64 {
	return float64(n) / (v.End() - v.Start()).Seconds()
}

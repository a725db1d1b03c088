package htmlpage

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/timeline"
)

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

package htmlpage

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// rate draws the planned and the achieved rate.
func (d *timelineDrawing) rate() (panels []panel) {
	planned := func(v *timeline.Interval) float64 { return perSecond(v, v.Planned) }
	succeeded := func(v *timeline.Interval) float64 { return perSecond(v, v.Succeeded) }
	scale := linearScale(130, d.highest(planned, succeeded), results.Rate.Format)
	for _, s := range d.sides {
		w := d.begin(s, scale)
		p := panel{Title: "Rate", Aside: "operations a second"}
		hasPlan := highestOf(s, planned) > 0
		line := d.curve(s, scale, succeeded)
		w.Band("fill", line, d.curve(s, scale, zero))
		if hasPlan {
			w.Steps("planned", d.curve(s, scale, planned))
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
	span := svgplot.NewSpan()
	for _, s := range d.sides {
		for _, of := range []func(timeline.Times) int64{p50, p99, longest} {
			r := rangeOf(s, s.response(of))
			span.Include(r.Low, r.High)
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
		op, median, high, highest := s.timeline.Op, s.response(p50), s.response(p99), s.response(longest)
		w := d.begin(s, scale)
		p := panel{Title: d.timeName() + " of " + d.clip(cmp.Or(op, "operations")), Aside: aside}
		upper, lower := d.curve(s, scale, high), d.curve(s, scale, median)
		w.Band("fill", upper, lower)
		w.Steps("max", d.curve(s, scale, highest))
		w.Steps("p99", upper)
		w.Steps("main", lower)
		for _, k := range []struct {
			class, name string
			value       func(*timeline.Interval) float64
		}{{"main", "p50", median}, {"p99", "p99", high}, {"max", "max", highest}} {
			text := k.name + ": none"
			if r := rangeOf(s, k.value); r.Drawable() {
				text = k.name + " " + nanoseconds(r.Low) + " to " + nanoseconds(r.High)
			}
			p.Keys = append(p.Keys, panelKey{k.class, text})
		}
		d.peak(w, s, scale, highest, func(v float64) string { return "max " + nanoseconds(v) })
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

// Parts of the times of an interval.
func p50(t timeline.Times) int64     { return t.P50NS }
func p99(t timeline.Times) int64     { return t.P99NS }
func longest(t timeline.Times) int64 { return t.MaxNS }

// response returns a function that returns a part of the response times of an interval. It returns
// NaN if there is none.
func (s timeSide) response(part func(timeline.Times) int64) func(*timeline.Interval) float64 {
	return func(v *timeline.Interval) float64 {
		o, ok := v.Of(s.timeline.Op)
		if !ok || o.Count <= 0 || part(o.Response) <= 0 {
			return math.NaN()
		}
		return float64(part(o.Response))
	}
}

// rangeOf returns the lowest and the highest value of the steps of a side.
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
	classes, _ := bounded.Head(byCount(totals), maxClasses)
	scale := linearScale(100, high, results.Rate.Format)
	for _, s := range d.sides {
		w := d.begin(s, scale)
		p := panel{Title: "Failures by class", Aside: "operations a second, the first class at the bottom"}
		sum := make([]float64, len(s.steps))
		lower := d.curve(s, scale, zero)
		layer := func(class, name string, count func(*timeline.Interval) int64) {
			total, upper := int64(0), slices.Clone(lower)
			for i := range s.steps {
				n := max(0, count(&s.steps[i]))
				total += n
				sum[i] += perSecond(&s.steps[i], n)
				upper[i].Y = scale.y(sum[i])
			}
			if total == 0 {
				return
			}
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

// byCount returns the classes of failures, the most frequent first.
func byCount(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}

// classWords lists the failures of an interval by class, the most frequent first.
func classWords(v *timeline.Interval) string {
	shown, omitted := bounded.Head(byCount(v.Classes), maxClasses)
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
		line := d.curve(s, scale, inFlight)
		w.Band("fill", line, d.curve(s, scale, zero))
		w.Steps("main", line)
		p.Keys = append(p.Keys, panelKey{"main", "in flight, most " + whole(highestOf(s, inFlight))})
		peak := inFlight
		if most := highestOf(s, notSent); most > 0 {
			w.Steps("planned", d.curve(s, scale, notSent))
			p.Keys = append(p.Keys, panelKey{"planned", "due and not sent, most " + whole(most)})
			if most > highestOf(s, inFlight) {
				peak = notSent
			}
		}
		d.peak(w, s, scale, peak, whole)
		panels = append(panels, d.finish(s, w, scale, "waiting", p, func(v *timeline.Interval) string {
			return fmt.Sprintf("%s in flight, %s due and not sent",
				plaintext.Thousands(v.InFlight), plaintext.Thousands(v.NotSent))
		}))
	}
	return panels
}

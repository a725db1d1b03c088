package htmlpage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// A curve holds the response times of a side by percentile.
type curve struct {
	role          svgplot.Role
	label         string
	points        []point // x is 1/(1-share), so that 10 is 90%, 100 is 99%, and so on
	fromHistogram bool    // drawn from every operation instead of a few percentiles
}

type point struct{ x, y float64 }

// latency draws response times by percentile, with a plot for each operation.
func (b *builder) latency() section {
	var ops []report.Row // a row of each operation
	for _, r := range b.Rows {
		hasPercentile := r.Unit.Name == results.UnitP50 || r.Unit.Name == results.UnitP99 ||
			r.Unit.Name == results.UnitToUpdatedP50
		sameOperation := func(o report.Row) bool { return o.Scenario == r.Scenario && o.Op == r.Op }
		if hasPercentile && !slices.ContainsFunc(ops, sameOperation) {
			ops = append(ops, r)
		}
	}
	ops, omitted := bounded.Head(ops, b.limits.Figures)
	var figures []figure
	for _, r := range ops {
		var curves []curve
		for _, side := range b.sides() {
			if c := side.curve(r); len(c.points) > 1 {
				curves = append(curves, c)
			}
		}
		f := b.latencyFigure(r.Label(report.SpanScenarios(b.Rows)), len(figures), curves)
		figures = append(figures, f...)
	}
	if len(figures) == 0 {
		return section{}
	}
	lead := "Both axes are logarithmic: each nine more is as far as the one before."
	switch now, base := len(b.Now.Latency) > 0, len(b.Base.Latency) > 0; {
	case !now && !base:
		lead += " Only some percentiles are known, the medians of the repetitions."
	case b.HasBase && !base:
		lead += " Of " + plaintext.Clip(b.Base.Label, 40) +
			" only some percentiles are known, the medians of its repetitions."
	}
	return section{
		ID: "latency", Title: b.timeName() + " by percentile", Key: true, Figures: figures, Lead: []string{lead},
		Omitted: omittedText(omitted, "operation"),
	}
}

// timeName returns what the times of operations are called.
func (b *builder) timeName() string {
	if b.isService() {
		return "Time to updated"
	}
	return "Response time"
}

// curve returns the side's response times of a row's operation: from the histogram if there is one,
// or else the medians of the percentiles that repetitions recorded.
func (s plotSide) curve(row report.Row) curve {
	c := curve{role: s.role, label: s.Label}
	for _, l := range s.Latency {
		n := l.Histogram.TotalCount()
		if l.Op != row.Op || l.Scenario != "" && l.Scenario != row.Scenario || n == 0 {
			continue
		}
		c.fromHistogram = true
		const steps = 16                // from one power of ten to the next
		for i := 1; i <= 8*steps; i++ { // from 13% on, since the fastest operations don't matter
			x := math.Pow(10, float64(i)/steps)
			if x > float64(n) {
				break
			}
			c.points = append(c.points, point{x, float64(l.Histogram.ValueAtQuantile(100 * (1 - 1/x)))})
		}
		return c
	}
	var records []results.Record
	for _, r := range s.Records {
		if r.Op == row.Op && r.Scenario == row.Scenario {
			records = append(records, r)
		}
	}
	medians := results.Medians(records)[row.Op]
	for _, p := range []struct {
		unit string
		x    float64
	}{{results.UnitToUpdatedP50, 2}, {results.UnitToUpdatedP90, 10}, {results.UnitToUpdatedP99, 100},
		{results.UnitP50, 2}, {results.UnitP90, 10}, {results.UnitP99, 100}, {results.UnitP999, 1000}} {
		if v, ok := medians[p.unit]; ok && svgplot.IsFinite(v) {
			c.points = append(c.points, point{p.x, v})
		}
	}
	return c
}

// latencyFigure draws the curves of one operation. It returns nil if there are too few points.
func (b *builder) latencyFigure(op string, n int, curves []curve) []figure {
	xs, ys := svgplot.NewSpan(), svgplot.NewSpan()
	noLogarithm := func(p point) bool { return p.y <= 0 || !svgplot.IsFinite(p.y) }
	for i := range curves {
		curves[i].points = slices.DeleteFunc(curves[i].points, noLogarithm)
		for _, p := range curves[i].points {
			xs.Include(p.x)
			ys.Include(p.y)
		}
	}
	if !ys.Drawable() || xs.Low == xs.High {
		return nil
	}
	p := svgplot.New("percentile", "")
	svgplot.Logarithmic(&p.X, xs, percentileLabel)
	svgplot.Logarithmic(&p.Y, svgplot.Span{Low: ys.Low / 1.15, High: ys.High * 1.15}, nanoseconds)
	outside := func(x float64) bool { return x < xs.Low*0.999 || x > xs.High*1.001 }
	ticks := slices.DeleteFunc([]float64{2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7}, outside)
	p.X.Tick.Marker = svgplot.Ticks(ticks, percentileLabel)
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		horizontal(c, at, p.Y, xs.Low, xs.High)
		for _, curve := range curves {
			path := make([]vg.Point, len(curve.points))
			for i, q := range curve.points {
				path[i] = at(q.x, q.y)
			}
			c.StrokeLines(svgplot.Line(curve.role), path)
			for _, q := range path {
				if !curve.fromHistogram {
					c.DrawGlyph(svgplot.Mark(curve.role, 3.5), q)
				}
			}
		}
	}))
	title := b.clip(op)
	image := b.draw(p, fmt.Sprintf("latency-%d", n), b.timeName()+" by percentile: "+title, describeCurves(curves), 230)
	return []figure{{Title: title, SVG: image}}
}

// percentileLabel returns the label of a tick at x, which is 1/(1-share): "99%" for 100.
func percentileLabel(x float64) string {
	if x <= 1 {
		return "0%"
	}
	digits := max(0, int(math.Round(math.Log10(x)))-2)
	return strconv.FormatFloat(100*(1-1/x), 'f', digits, 64) + "%"
}

// describeCurves describes curves in words: "now: 50% within 3.1ms, 99% within 8ms".
func describeCurves(curves []curve) []string {
	var sentences []string
	for _, c := range curves {
		var parts []string
		for _, x := range []float64{2, 10, 100, 1000} {
			i := slices.IndexFunc(c.points, func(p point) bool { return p.x >= x*0.999 })
			if i > 0 || i == 0 && c.points[0].x <= x*1.001 {
				parts = append(parts, percentileLabel(x)+" within "+nanoseconds(c.points[i].y))
			}
		}
		if len(parts) > 0 {
			sentences = append(sentences, c.label+": "+strings.Join(parts, ", "))
		}
	}
	return []string{strings.Join(sentences, ". ")}
}

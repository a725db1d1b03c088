package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/results"
)

// A curve is a side's response times by percentile.
type curve struct {
	ink    ink
	label  string
	points []point // x is 1/(1-share), so that each step of ten is a nine more
	whole  bool    // of every operation, rather than of a few percentiles
}

type point struct{ x, y float64 }

// latencyFigures draw response times by percentile, a plot an operation, base and now.
func (s *Subject) latencyFigures(l limits) (figures []figure, left int, err error) {
	var ops []results.JudgedRow // one of each
	rows := s.judgement().Rows
	for _, r := range rows {
		if (r.Unit == "p50-ns/op" || r.Unit == "p99-ns/op") && !slices.ContainsFunc(ops, func(o results.JudgedRow) bool { return o.Scenario == r.Scenario && o.Op == r.Op }) {
			ops = append(ops, r)
		}
	}
	ops, left = first(ops, l.figures)
	for _, r := range ops {
		var curves []curve
		for _, side := range s.drawnSides() {
			if c := side.curve(r); len(c.points) > 1 {
				c.ink, c.label = side.ink, side.label
				curves = append(curves, c)
			}
		}
		f, err := latencyFigure(operation(r, manyScenarios(rows)), len(figures), curves, l)
		if err != nil {
			return nil, 0, err
		}
		if f != nil {
			figures = append(figures, *f)
		}
	}
	return figures, left, nil
}

// drawnSide is a side with the ink that it has in every plot.
type drawnSide struct {
	Side
	ink   ink
	label string
}

func (s *Subject) drawnSides() (sides []drawnSide) {
	if s.hasBase() {
		sides = append(sides, drawnSide{s.Base, inkBase, s.baseLabel()})
	}
	return append(sides, drawnSide{s.Now, inkNow, s.nowLabel()})
}

// curve is from the histogram where there is one, else from the medians of the percentiles
// that each repetition recorded.
func (s Side) curve(row results.JudgedRow) (c curve) {
	for _, l := range s.Latency {
		if n := l.Histogram.TotalCount(); l.Op == row.Op && (l.Scenario == "" || l.Scenario == row.Scenario) && n > 0 {
			c.whole = true
			const steps = 16                // a nine
			for i := 1; i <= 8*steps; i++ { // from 13% on: how fast the fastest were is no matter
				x := math.Pow(10, float64(i)/steps)
				if x > float64(n) {
					break
				}
				c.points = append(c.points, point{x, float64(l.Histogram.ValueAtQuantile(100 * (1 - 1/x)))})
			}
			return c
		}
	}
	medians := results.Medians(slices.DeleteFunc(slices.Clone(s.Records), func(r results.Record) bool { return r.Op != row.Op || r.Scenario != row.Scenario }))[row.Op]
	for _, p := range []struct {
		unit string
		x    float64
	}{{"p50-ns/op", 2}, {"p90-ns/op", 10}, {"p99-ns/op", 100}, {"p99.9-ns/op", 1000}} {
		if v, ok := medians[p.unit]; ok && finite(v) {
			c.points = append(c.points, point{p.x, v})
		}
	}
	return c
}

func latencyFigure(op string, n int, curves []curve, l limits) (*figure, error) {
	xs, ys := emptySpan(), emptySpan()
	for i := range curves {
		curves[i].points = slices.DeleteFunc(curves[i].points, func(p point) bool { return p.y <= 0 || !finite(p.y) })
		for _, p := range curves[i].points {
			xs.take(p.x)
			ys.take(p.y)
		}
	}
	if !ys.drawable() || xs.low == xs.high {
		return nil, nil
	}
	p := newPlot("percentile", "")
	ys = span{ys.low / 1.15, ys.high * 1.15}
	logarithmic(&p.X, xs, nines)
	logarithmic(&p.Y, ys, func(v float64) string { return short(v, "ns/op") })
	p.X.Tick.Marker = ticksAt(slices.DeleteFunc([]float64{2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7}, func(x float64) bool { return x < xs.low*0.999 || x > xs.high*1.001 }), nines)
	p.Add(drawing(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		for _, t := range p.Y.Tick.Marker.Ticks(ys.low, ys.high) {
			c.StrokeLines(thin(inkGrid), []vg.Point{at(xs.low, t.Value), at(xs.high, t.Value)})
		}
		for _, curve := range curves {
			path := make([]vg.Point, len(curve.points))
			for i, q := range curve.points {
				path[i] = at(q.x, q.y)
			}
			c.StrokeLines(line(curve.ink), path)
			for _, q := range curve.points {
				if !curve.whole {
					c.DrawGlyph(glyph(curve.ink, 3.5), at(q.x, q.y))
				}
			}
		}
	}))
	title := "Response time by percentile: " + clip(op, l.text)
	image, err := svg(p, fmt.Sprintf("latency-%d", n), title, describeCurves(curves), 230)
	if err != nil {
		return nil, err
	}
	return &figure{Title: clip(op, l.text), SVG: image}, nil
}

// nines labels 1/(1-share): 100 is 99%.
func nines(x float64) string {
	if x <= 1 {
		return "0%"
	}
	digits := max(0, int(math.Round(math.Log10(x)))-2)
	return strconv.FormatFloat(100*(1-1/x), 'f', digits, 64) + "%"
}

// describeCurves says the curves in words: "now: 50% within 3.1ms, 99% within 8ms".
func describeCurves(curves []curve) string {
	var sentences []string
	for _, c := range curves {
		var parts []string
		for _, x := range []float64{2, 10, 100, 1000} {
			for i, p := range c.points {
				if p.x >= x*0.999 {
					if i > 0 || p.x <= x*1.001 {
						parts = append(parts, fmt.Sprintf("%s within %s", nines(x), short(p.y, "ns/op")))
					}
					break
				}
			}
		}
		if len(parts) > 0 {
			sentences = append(sentences, c.label+": "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(sentences, ". ") + "."
}

package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/results"
)

// repetitionFigures draw rate and latency as they went, a point a repetition: a machine that
// warms up, or a leak, is a slope here and only a wide interval elsewhere.
func (s *Subject) repetitionFigures(l limits) (figures []figure, err error) {
	rows := s.judgement().Rows
	main := mainOps(rows)
	for _, r := range rows {
		if r.Op != main[r.Scenario] || !slices.Contains([]string{"ops/s", "p50-ns/op", "p99-ns/op"}, r.Unit) || len(figures) >= l.figures {
			continue
		}
		f, err := s.repetitionFigure(r, len(figures), l)
		if err != nil {
			return nil, err
		}
		if f != nil {
			figures = append(figures, *f)
		}
	}
	return figures, nil
}

func (s *Subject) repetitionFigure(r results.JudgedRow, n int, l limits) (*figure, error) {
	ys, longest := emptySpan(), 0
	sides := s.drawnSides()
	lines := make([][]point, len(sides))
	var words []string
	for i, side := range sides {
		values := samples(side.Records, r)
		longest = max(longest, len(values))
		var kept []point
		for j, v := range values {
			if finite(v) {
				kept = append(kept, point{float64(j + 1), v})
				ys.take(v)
			}
		}
		lines[i] = spread(kept, l.points)
		if len(values) > 0 {
			words = append(words, fmt.Sprintf("%s: %s, the first %s, the last %s", side.label, count(len(values), "repetition"),
				results.FormatValue(values[0], r.Unit), results.FormatValue(values[len(values)-1], r.Unit)))
		}
	}
	if longest < 2 || !ys.drawable() {
		return nil, nil
	}
	p := newPlot("repetition", "")
	ys.take(0) // so that a slope is as steep as it is
	ys = ys.wider(0.08)
	linear(&p.Y, ys, r.Unit, 4)
	p.X.Min, p.X.Max = 1, float64(longest)
	steps := slices.DeleteFunc(niceSteps(1, float64(longest), 6), func(v float64) bool { return v != float64(int(v)) })
	if len(steps) == 0 || steps[0] != 1 {
		steps = append([]float64{1}, steps...)
	}
	p.X.Tick.Marker = ticksAt(steps, func(v float64) string { return strconv.Itoa(int(v)) })
	p.Add(drawing(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		for _, t := range p.Y.Tick.Marker.Ticks(ys.low, ys.high) {
			c.StrokeLines(thin(inkGrid), []vg.Point{at(1, t.Value), at(float64(longest), t.Value)})
		}
		for i, side := range sides {
			path := make([]vg.Point, len(lines[i]))
			for j, q := range lines[i] {
				path[j] = at(q.x, q.y)
				c.DrawGlyph(glyph(side.ink, 3), path[j])
			}
			c.StrokeLines(line(side.ink), path)
		}
	}))
	title := clip(s.nameOf(r), l.text)
	image, err := svg(p, fmt.Sprintf("repetitions-%d", n), title+" by repetition", strings.Join(words, "; ")+".", 190)
	return &figure{Title: title, SVG: image}, err
}

package report

import (
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/results"
)

// ratioFigures draw the ratios of pairs, now to base, with their intervals: what crosses 1
// may be no change. Rows without a ratio aren't in it.
func (s *Subject) ratioFigures(l limits) (figures []figure, left int, err error) {
	rows := slices.DeleteFunc(slices.Clone(s.judgement().Rows), func(r results.JudgedRow) bool {
		return r.Ratio == nil || !sensible(r.Ratio.Estimate) || !sensible(r.Ratio.Low) || !sensible(r.Ratio.High)
	})
	rows, left = first(rows, 3*l.figures)
	if len(rows) == 0 {
		return nil, left, nil
	}
	xs := emptySpan()
	xs.take(1)
	for _, r := range rows {
		xs.take(r.Ratio.Low, r.Ratio.High, r.Ratio.Estimate)
	}
	xs = xs.wider(0.06)
	p := newPlot("", "")
	p.X.Min, p.X.Max = xs.low, xs.high
	p.X.Tick.Marker = ticksAt(niceSteps(xs.low, xs.high, 4), func(v float64) string { return "×" + strconv.FormatFloat(v, 'g', 4, 64) })
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	namesOf(&p.Y)
	many := manyScenarios(rows)
	var names plot.ConstantTicks
	var words []string
	for i, r := range rows {
		name := clip(operation(r, many)+" "+r.Unit, 26)
		names = append(names, plot.Tick{Value: float64(len(rows) - 1 - i), Label: name})
		words = append(words, name+" "+formatRatio(r.Ratio))
	}
	p.Y.Tick.Marker = names
	p.Add(drawing(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		for _, t := range p.X.Tick.Marker.Ticks(xs.low, xs.high) {
			c.StrokeLines(thin(inkGrid), []vg.Point{at(t.Value, p.Y.Min), at(t.Value, p.Y.Max)})
		}
		c.StrokeLines(thin(inkText), []vg.Point{at(1, p.Y.Min), at(1, p.Y.Max)})
		for i, r := range rows {
			y := float64(len(rows) - 1 - i)
			ink := inkNow
			if r.Verdict == results.Regressed {
				ink = inkBad
			}
			c.StrokeLines(solid(ink), []vg.Point{at(r.Ratio.Low, y), at(r.Ratio.High, y)})
			for _, x := range []float64{r.Ratio.Low, r.Ratio.High} {
				c.StrokeLines(solid(ink), []vg.Point{at(x, y-0.16), at(x, y+0.16)})
			}
			g := glyph(ink, 3.6)
			if ink == inkBad {
				g.Shape = draw.BoxGlyph{}
			} else {
				g.Shape = draw.CircleGlyph{}
			}
			c.DrawGlyph(g, at(r.Ratio.Estimate, y))
		}
	}))
	image, err := svg(p, "ratios", "Ratio of neighbouring measurements, with intervals", strings.Join(words, "; ")+".", float64(50+17*len(rows)))
	if err != nil {
		return nil, 0, err
	}
	return []figure{{Title: clip(s.nowLabel(), 40) + " / " + clip(s.baseLabel(), 40), Wide: true, SVG: image}}, left, nil
}

// sensible ratios are those that an axis can have: of zero and of none there is no more to see.
func sensible(ratio float64) bool { return finite(ratio) && ratio >= 0 && ratio < 1e6 }

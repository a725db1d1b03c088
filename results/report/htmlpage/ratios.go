package htmlpage

import (
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// ratioFigures draws the ratios of pairs, now to base, with their intervals. Rows without a ratio
// aren't drawn.
func (b *builder) ratioFigures() (figures []figure, omitted int, err error) {
	rows := slices.DeleteFunc(slices.Clone(b.Rows), func(r report.Row) bool {
		return r.Ratio == nil || !plottable(r.Ratio.Estimate) || !plottable(r.Ratio.Low) || !plottable(r.Ratio.High)
	})
	rows, omitted = bounded.Head(rows, 3*b.limits.Figures)
	if len(rows) == 0 {
		return nil, omitted, nil
	}
	xs := svgplot.NewSpan(1)
	for _, r := range rows {
		xs.Include(r.Ratio.Low, r.Ratio.High, r.Ratio.Estimate)
	}
	xs = xs.Padded(0.06)
	p := svgplot.New("", "")
	p.X.Min, p.X.Max = xs.Low, xs.High
	ratioLabel := func(v float64) string { return "×" + strconv.FormatFloat(v, 'g', 4, 64) }
	p.X.Tick.Marker = svgplot.Ticks(svgplot.NiceSteps(xs.Low, xs.High, 4), ratioLabel)
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	svgplot.Categories(&p.Y)
	spans := report.SpanScenarios(rows)
	var names plot.ConstantTicks
	var words []string
	for i, r := range rows {
		name := plaintext.Clip(r.Label(spans)+" "+r.Unit.Name, 26)
		names = append(names, plot.Tick{Value: float64(len(rows) - 1 - i), Label: name})
		words = append(words, name+" "+r.FormatRatio())
	}
	p.Y.Tick.Marker = names
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		vertical(c, at, p.X, p.Y.Min, p.Y.Max)
		c.StrokeLines(svgplot.Thin(svgplot.Text), []vg.Point{at(1, p.Y.Min), at(1, p.Y.Max)})
		for i, r := range rows {
			drawRatio(c, at, r, float64(len(rows)-1-i))
		}
	}))
	image, err := svgplot.Render(p, "ratios", "Ratio of neighbouring measurements, with intervals",
		strings.Join(words, "; ")+".", float64(50+17*len(rows)))
	if err != nil {
		return nil, 0, err
	}
	title := plaintext.Clip(b.Now.Label, 40) + " / " + plaintext.Clip(b.Base.Label, 40)
	return []figure{{Title: title, Wide: true, SVG: image}}, omitted, nil
}

// drawRatio draws a ratio as a mark, which is a square if the row regressed, and its interval as a
// line with ends.
func drawRatio(c draw.Canvas, at func(x, y float64) vg.Point, r report.Row, y float64) {
	role := svgplot.Now
	if r.Verdict == results.Regressed {
		role = svgplot.Bad
	}
	c.StrokeLines(svgplot.Solid(role), []vg.Point{at(r.Ratio.Low, y), at(r.Ratio.High, y)})
	for _, x := range []float64{r.Ratio.Low, r.Ratio.High} {
		c.StrokeLines(svgplot.Solid(role), []vg.Point{at(x, y-0.16), at(x, y+0.16)})
	}
	mark := svgplot.Mark(role, 3.6)
	mark.Shape = draw.CircleGlyph{}
	if role == svgplot.Bad {
		mark.Shape = draw.BoxGlyph{}
	}
	c.DrawGlyph(mark, at(r.Ratio.Estimate, y))
}

// plottable reports whether a ratio can be drawn. A ratio can't if one side measured next to
// nothing.
func plottable(ratio float64) bool { return svgplot.IsFinite(ratio) && ratio >= 0 && ratio < 1e6 }

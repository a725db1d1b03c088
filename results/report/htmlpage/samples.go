package htmlpage

import (
	"fmt"
	"slices"
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

// sampleFigures draws every sample of a metric beside its median and interval: first changed rows,
// then rows of the main operation, then all others. Rows whose samples are all the same aren't
// drawn; constant counts them, and omitted counts the rows beyond the limit.
func (b *builder) sampleFigures() (figures []figure, constant, omitted int, err error) {
	rows := report.ChangedRows(b.Rows)
	primary := primaryOperations(b.Rows)
	for _, ofPrimary := range []bool{true, false} {
		for _, r := range b.Rows {
			if (r.Op == primary[r.Scenario]) == ofPrimary && !slices.ContainsFunc(rows, r.Same) {
				rows = append(rows, r)
			}
		}
	}
	for _, r := range rows {
		span := svgplot.NewSpan()
		for _, side := range b.sides() {
			span.Include(side.samples(r)...)
		}
		switch {
		case !span.Drawable():
		case span.Low == span.High:
			constant++
		case len(figures) == b.limits.Figures:
			omitted++
		default:
			f, err := b.sampleFigure(r, len(figures), span)
			if err != nil {
				return nil, 0, 0, err
			}
			figures = append(figures, f)
		}
	}
	return figures, constant, omitted, nil
}

func (b *builder) sampleFigure(r report.Row, n int, span svgplot.Span) (figure, error) {
	sides := b.sides()
	for _, sum := range []*results.Summary{r.Base, r.Now} {
		if sum != nil && sum.Low != nil && sum.High != nil {
			span.Include(*sum.Low, *sum.High)
		}
	}
	p := svgplot.New("", "")
	linear(&p.X, span.Padded(0.06), r.Unit)
	p.Y.Min, p.Y.Max = -0.5, float64(len(sides))-0.5
	svgplot.Categories(&p.Y)
	var names plot.ConstantTicks
	for i, side := range sides {
		names = append(names, plot.Tick{Value: float64(len(sides) - 1 - i), Label: plaintext.Clip(side.Label, 14)})
	}
	p.Y.Tick.Marker = names
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		vertical(c, at, p.X, p.Y.Min, p.Y.Max)
		for i, side := range sides {
			y := float64(len(sides) - 1 - i)
			drawInterval(c, at, side.summary(r), y-0.3, side.role)
			for j, v := range bounded.SampleEvenly(side.samples(r), b.limits.Points) {
				if svgplot.IsFinite(v) {
					// Vertical positions differ by number, so that equal samples don't hide each
					// other.
					c.DrawGlyph(svgplot.Mark(side.role, 2.8), at(v, y+0.1+0.22*float64(j*5%8)/8))
				}
			}
		}
	}))
	var words []string
	for _, side := range sides {
		if sum := side.summary(r); sum != nil {
			median := results.FormatValue(sum.Median, r.Unit.Name)
			words = append(words, fmt.Sprintf("%s: %s, median %s%s",
				side.Label, plaintext.Count(sum.N, "sample"), median, intervalWords(sum, r.Unit)))
		}
	}
	title := b.figureTitle(r)
	image, err := svgplot.Render(p, fmt.Sprintf("samples-%d", n), "Samples of "+title,
		strings.Join(words, "; ")+".", float64(36+30*len(sides)))
	return figure{Title: title, Aside: b.figureAside(r), Verdict: string(r.Verdict), SVG: image}, err
}

// drawInterval draws a median as a bar and its interval as a line with ends.
func drawInterval(c draw.Canvas, at func(x, y float64) vg.Point, s *results.Summary, y float64, role svgplot.Role) {
	if s == nil || !svgplot.IsFinite(s.Median) {
		return
	}
	thick := draw.LineStyle{Color: role.Color(), Width: vg.Points(3)}
	c.StrokeLines(thick, []vg.Point{at(s.Median, y-0.14), at(s.Median, y+0.14)})
	if s.Low == nil || s.High == nil || !svgplot.IsFinite(*s.Low) || !svgplot.IsFinite(*s.High) {
		return
	}
	c.StrokeLines(svgplot.Solid(role), []vg.Point{at(*s.Low, y), at(*s.High, y)})
	for _, x := range []float64{*s.Low, *s.High} {
		c.StrokeLines(svgplot.Solid(role), []vg.Point{at(x, y-0.08), at(x, y+0.08)})
	}
}

func intervalWords(s *results.Summary, unit results.Unit) string {
	if s.Low == nil || s.High == nil {
		return ", too few for an interval"
	}
	low, high := results.FormatValue(*s.Low, unit.Name), results.FormatValue(*s.High, unit.Name)
	return fmt.Sprintf(", %s to %s", low, high)
}

// figureAside returns the text beside a figure's title: the change, or the median if there is no
// change.
func (b *builder) figureAside(r report.Row) string {
	if delta := r.FormatDelta(); delta != "" {
		return delta
	}
	return b.clip(r.FormatMedian())
}

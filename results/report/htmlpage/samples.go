package htmlpage

import (
	"fmt"
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

// repetitionFigures draws the rate and the response times of each repetition. A machine that warms
// up, or a leak, shows as a slope here, and elsewhere only as a wide interval.
func (b *builder) repetitionFigures() (figures []figure, err error) {
	primary := primaryOperations(b.Rows)
	units := []string{results.UnitRate, results.UnitP50, results.UnitP99}
	for _, r := range b.Rows {
		if r.Op != primary[r.Scenario] || !slices.Contains(units, r.Unit.Name) || len(figures) >= b.limits.Figures {
			continue
		}
		f, err := b.repetitionFigure(r, len(figures))
		if err != nil {
			return nil, err
		}
		if f != nil {
			figures = append(figures, *f)
		}
	}
	return figures, nil
}

// repetitionFigure draws one row. It returns nil if there are fewer than two repetitions.
func (b *builder) repetitionFigure(r report.Row, n int) (*figure, error) {
	ys, longest := svgplot.NewSpan(), 0
	sides := b.sides()
	lines := make([][]point, len(sides))
	var words []string
	for i, side := range sides {
		values := side.samples(r)
		longest = max(longest, len(values))
		var finite []point
		for j, v := range values {
			if svgplot.IsFinite(v) {
				finite = append(finite, point{float64(j + 1), v})
				ys.Include(v)
			}
		}
		lines[i] = bounded.SampleEvenly(finite, b.limits.Points)
		if len(values) > 0 {
			first, last := values[0], values[len(values)-1]
			words = append(words, fmt.Sprintf("%s: %s, the first %s, the last %s",
				side.Label, plaintext.Count(len(values), "repetition"),
				results.FormatValue(first, r.Unit.Name), results.FormatValue(last, r.Unit.Name)))
		}
	}
	if longest < 2 || !ys.Drawable() {
		return nil, nil
	}
	p := svgplot.New("repetition", "")
	ys.Include(0) // otherwise a small slope would look steep
	linear(&p.Y, ys.Padded(0.08), r.Unit)
	p.X.Min, p.X.Max = 1, float64(longest)
	steps := wholeSteps(1, float64(longest), 6)
	if len(steps) == 0 || steps[0] != 1 {
		steps = append([]float64{1}, steps...)
	}
	p.X.Tick.Marker = svgplot.Ticks(steps, wholeLabel)
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		horizontal(c, at, p.Y, 1, float64(longest))
		for i, side := range sides {
			path := make([]vg.Point, len(lines[i]))
			for j, q := range lines[i] {
				path[j] = at(q.x, q.y)
				c.DrawGlyph(svgplot.Mark(side.role, 3), path[j])
			}
			c.StrokeLines(svgplot.Line(side.role), path)
		}
	}))
	title := b.figureTitle(r)
	image, err := svgplot.Render(p, fmt.Sprintf("repetitions-%d", n), title+" by repetition",
		strings.Join(words, "; ")+".", 190)
	return &figure{Title: title, SVG: image}, err
}

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

package htmlpage

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// samples draws every sample of a metric beside its median and interval: first changed rows, then
// rows of the main operation, then all others. Rows whose samples are all the same aren't drawn.
func (b *builder) samples() section {
	var figures []figure
	constant, omitted := 0, 0
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
			figures = append(figures, b.sampleFigure(r, len(figures), span))
		}
	}
	if len(figures) == 0 {
		return section{}
	}
	s := section{
		ID: "samples", Title: "The samples themselves", Key: true, Omitted: omittedText(omitted, "metric"),
		Lead: []string{"A mark a repetition; below the marks, the median and its 95% confidence interval, " +
			"where the samples suffice for one."},
	}
	if constant > 0 {
		metrics := plaintext.Count(constant, "metric")
		s.Lead = append(s.Lead, "Not drawn: "+metrics+" whose samples are all the same.")
	}
	shown := min(len(figures), 6)
	s.Figures, s.More = figures[:shown], figures[shown:]
	return s
}

func (b *builder) sampleFigure(r report.Row, n int, span svgplot.Span) figure {
	sides := b.sides()
	for _, sum := range []*results.Summary{r.Base, r.Now} {
		if sum != nil && sum.Low != nil && sum.High != nil {
			span.Include(*sum.Low, *sum.High)
		}
	}
	p := svgplot.New("", "")
	linear(&p.X, span.Padded(0.06), r.Unit)
	var names []string
	for _, side := range sides {
		names = append(names, plaintext.Clip(side.Label, 14))
	}
	svgplot.Categories(&p.Y, 0.5, names)
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		vertical(c, at, p.X, p.Y.Min, p.Y.Max)
		for i, side := range sides {
			y := float64(len(sides) - 1 - i)
			drawInterval(c, at, side.summary(r), y-0.3, side.role)
			for j, v := range bounded.SampleEvenly(side.samples(r), b.limits.Points) {
				if svgplot.IsFinite(v) {
					// Vary the vertical positions, so that equal samples don't hide each other.
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
	image := b.draw(p, fmt.Sprintf("samples-%d", n), "Samples of "+title, words, 36+30*len(sides))
	aside := cmp.Or(r.FormatDelta(), b.clip(r.FormatMedian())) // the median if there is no change
	return figure{Title: title, Aside: aside, Verdict: string(r.Verdict), SVG: image}
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

// repetitions draws the rate and the response times of each repetition. A machine that warms up, or
// a leak, shows as a slope here, and elsewhere only as a wide interval.
func (b *builder) repetitions() section {
	var figures []figure
	primary := primaryOperations(b.Rows)
	units := []string{results.UnitRate, results.UnitP50, results.UnitP99, results.UnitToUpdatedP50, results.UnitToUpdatedP99}
	for _, r := range b.Rows {
		if r.Op != primary[r.Scenario] || !slices.Contains(units, r.Unit.Name) || len(figures) >= b.limits.Figures {
			continue
		}
		figures = append(figures, b.repetitionFigure(r, len(figures))...)
	}
	if len(figures) == 0 {
		return section{}
	}
	lead := "In the order in which they were measured: a slope is a machine or a client that changed meanwhile."
	return section{
		ID: "repetitions", Title: "Over the repetitions", Key: true, Figures: figures, Lead: []string{lead},
	}
}

// repetitionFigure draws one row. It returns nil if there are fewer than two repetitions.
func (b *builder) repetitionFigure(r report.Row, n int) []figure {
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
		return nil
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
	return []figure{{Title: title, SVG: b.draw(p, fmt.Sprintf("repetitions-%d", n), title+" by repetition", words, 190)}}
}

// ratios draws the ratios of pairs, now to base, with their intervals. Rows without a ratio aren't
// drawn.
func (b *builder) ratios() section {
	rows := slices.DeleteFunc(slices.Clone(b.Rows), func(r report.Row) bool {
		return r.Ratio == nil || !plottable(r.Ratio.Estimate) || !plottable(r.Ratio.Low) || !plottable(r.Ratio.High)
	})
	rows, omitted := bounded.Head(rows, 3*b.limits.Figures)
	if len(rows) == 0 {
		return section{}
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
	spans := report.SpanScenarios(rows)
	var names, words []string
	for _, r := range rows {
		name := plaintext.Clip(r.Label(spans)+" "+r.Unit.Name, 26)
		names, words = append(names, name), append(words, name+" "+r.FormatRatio())
	}
	svgplot.Categories(&p.Y, 0.6, names)
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		vertical(c, at, p.X, p.Y.Min, p.Y.Max)
		c.StrokeLines(svgplot.Thin(svgplot.Text), []vg.Point{at(1, p.Y.Min), at(1, p.Y.Max)})
		for i, r := range rows {
			drawRatio(c, at, r, float64(len(rows)-1-i))
		}
	}))
	image := b.draw(p, "ratios", "Ratio of neighboring measurements, with intervals", words, 50+17*len(rows))
	title := plaintext.Clip(b.Now.Label, 40) + " / " + plaintext.Clip(b.Base.Label, 40)
	lead := "Both sides were measured in turns, and neighbors compared. " +
		"An interval that holds 1 may be no change; a square is a row that regressed."
	return section{
		ID: "ratios", Title: "Ratios", Lead: []string{lead}, Omitted: omittedText(omitted, "row"),
		Figures: []figure{{Title: title, Wide: true, SVG: image}},
	}
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

package htmlpage

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

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
		var kept []point
		for j, v := range values {
			if svgplot.IsFinite(v) {
				kept = append(kept, point{float64(j + 1), v})
				ys.Include(v)
			}
		}
		lines[i] = bounded.SampleEvenly(kept, b.limits.Points)
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

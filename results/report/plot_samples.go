package report

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/results"
)

// sampleFigures draw every sample of a metric beside its median and interval: the notable
// rows first, then the load's own operation, then the rest. Rows whose samples are all the
// same have nothing to see; same counts them.
func (s *Subject) sampleFigures(l limits) (figures []figure, same, left int, err error) {
	rows := notable(s.judgement().Rows)
	main := mainOps(s.judgement().Rows)
	for _, ofMain := range []bool{true, false} {
		for _, r := range s.judgement().Rows {
			if (r.Op == main[r.Scenario]) == ofMain && !slices.ContainsFunc(rows, func(o results.JudgedRow) bool { return sameRow(o, r) }) {
				rows = append(rows, r)
			}
		}
	}
	for _, r := range rows {
		sp := emptySpan()
		for _, side := range s.drawnSides() {
			sp.take(samples(side.Records, r)...)
		}
		if sp.empty() || !sp.drawable() {
			continue
		}
		if sp.low == sp.high {
			same++
			continue
		}
		if len(figures) == l.figures {
			left++
			continue
		}
		f, err := s.sampleFigure(r, len(figures), sp, l)
		if err != nil {
			return nil, 0, 0, err
		}
		figures = append(figures, f)
	}
	return figures, same, left, nil
}

func sameRow(a, b results.JudgedRow) bool {
	return a.Scenario == b.Scenario && a.Op == b.Op && a.Unit == b.Unit
}

// mainOps are, by scenario, the operation that the load asked for: it has the most metrics.
func mainOps(rows []results.JudgedRow) map[string]string {
	n := make(map[[2]string]int)
	best := make(map[string]string)
	for _, r := range rows {
		key := [2]string{r.Scenario, r.Op}
		if n[key]++; n[key] > n[[2]string{r.Scenario, best[r.Scenario]}] {
			best[r.Scenario] = r.Op
		}
	}
	return best
}

// nameOf is what a figure of a row is called.
func (s *Subject) nameOf(r results.JudgedRow) string {
	return operation(r, manyScenarios(s.judgement().Rows)) + " " + r.Unit
}

func (s *Subject) sampleFigure(r results.JudgedRow, n int, sp span, l limits) (figure, error) {
	sides := s.drawnSides()
	for _, sum := range []*results.Summary{r.Baseline, r.Now} {
		if sum != nil && sum.Low != nil && sum.High != nil {
			sp.take(*sum.Low, *sum.High)
		}
	}
	p := newPlot("", "")
	sp = sp.wider(0.06)
	linear(&p.X, sp, r.Unit, 4)
	p.Y.Min, p.Y.Max = -0.5, float64(len(sides))-0.5
	namesOf(&p.Y)
	var names plot.ConstantTicks
	for i, side := range sides {
		names = append(names, plot.Tick{Value: float64(len(sides) - 1 - i), Label: clip(side.label, 14)})
	}
	p.Y.Tick.Marker = names
	var words []string
	p.Add(drawing(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		for _, t := range p.X.Tick.Marker.Ticks(sp.low, sp.high) {
			c.StrokeLines(thin(inkGrid), []vg.Point{at(t.Value, p.Y.Min), at(t.Value, p.Y.Max)})
		}
		for i, side := range sides {
			y := float64(len(sides) - 1 - i)
			sum := r.Now
			if side.ink == inkBase {
				sum = r.Baseline
			}
			drawInterval(c, at, sum, y-0.3, side.ink)
			for j, v := range spread(samples(side.Records, r), l.points) {
				if finite(v) {
					// Spread by their number, so that equal samples don't hide each other.
					c.DrawGlyph(glyph(side.ink, 2.8), at(v, y+0.1+0.22*float64(j*5%8)/8))
				}
			}
		}
	}))
	for _, side := range sides {
		sum := r.Now
		if side.ink == inkBase {
			sum = r.Baseline
		}
		if sum != nil {
			words = append(words, fmt.Sprintf("%s: %s, median %s%s", side.label, count(sum.N, "sample"), results.FormatValue(sum.Median, r.Unit), intervalWords(sum, r.Unit)))
		}
	}
	title := clip(s.nameOf(r), l.text)
	image, err := svg(p, fmt.Sprintf("samples-%d", n), "Samples of "+title, strings.Join(words, "; ")+".", float64(36+30*len(sides)))
	return figure{Title: title, Aside: figureAside(r, l), Verdict: string(r.Verdict), SVG: image}, err
}

// drawInterval draws a median as a bar and its interval as a line with ends.
func drawInterval(c draw.Canvas, at func(x, y float64) vg.Point, s *results.Summary, y float64, i ink) {
	if s == nil || !finite(s.Median) {
		return
	}
	c.StrokeLines(draw.LineStyle{Color: i.color(), Width: vg.Points(3)}, []vg.Point{at(s.Median, y-0.14), at(s.Median, y+0.14)})
	if s.Low == nil || s.High == nil || !finite(*s.Low) || !finite(*s.High) {
		return
	}
	c.StrokeLines(solid(i), []vg.Point{at(*s.Low, y), at(*s.High, y)})
	for _, x := range []float64{*s.Low, *s.High} {
		c.StrokeLines(solid(i), []vg.Point{at(x, y-0.08), at(x, y+0.08)})
	}
}

func intervalWords(s *results.Summary, unit string) string {
	if s.Low == nil || s.High == nil {
		return ", too few for an interval"
	}
	return fmt.Sprintf(", %s to %s", results.FormatValue(*s.Low, unit), results.FormatValue(*s.High, unit))
}

func figureAside(r results.JudgedRow, l limits) string {
	if delta := r.FormatDelta(); delta != "" {
		return delta
	}
	return clip(r.Now.Format(r.Unit), l.text)
}

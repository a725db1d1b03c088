package htmlpage

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
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
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A plotSide is a side with its role in plots.
type plotSide struct {
	report.Side
	role svgplot.Role
}

// sides returns the sides to be plotted, the base first.
func (b *builder) sides() (sides []plotSide) {
	if b.HasBase {
		sides = append(sides, plotSide{b.Base, svgplot.Base})
	}
	return append(sides, plotSide{b.Now, svgplot.Now})
}

// samples returns the side's samples of a row.
func (s plotSide) samples(r report.Row) []float64 {
	if s.role == svgplot.Base {
		return r.BaseSamples
	}
	return r.NowSamples
}

// summary returns the side's summary of a row, which may be nil.
func (s plotSide) summary(r report.Row) *results.Summary {
	if s.role == svgplot.Base {
		return r.Base
	}
	return r.Now
}

// draw draws a plot. words describe it to readers who can't see it.
func (b *builder) draw(p *plot.Plot, id, title string, words []string, height int) template.HTML {
	image, err := svgplot.Render(p, id, title, strings.Join(words, "; ")+".", float64(height))
	b.err = cmp.Or(b.err, err)
	return image
}

// figureTitle returns the title of a row's figure.
func (b *builder) figureTitle(r report.Row) string {
	return b.clip(r.Label(report.SpanScenarios(b.Rows)) + " " + r.Unit.Name)
}

// primaryOperations returns the main operation of each scenario, which is the one with the most
// metrics.
func primaryOperations(rows []report.Row) map[string]string {
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

// linear gives axis a the range s, for values of a metric.
func linear(a *plot.Axis, s svgplot.Span, unit results.Unit) {
	svgplot.Linear(a, s, 4, unit.Binary(), func(v float64) string { return results.FormatValue(v, unit.Name) })
}

// nanoseconds formats a number of nanoseconds as the label of a tick.
func nanoseconds(v float64) string {
	return svgplot.TickLabel(v, results.Duration.Format)
}

// horizontal draws a grid line at each tick of the vertical axis.
func horizontal(c draw.Canvas, at func(x, y float64) vg.Point, axis plot.Axis, from, to float64) {
	for _, t := range axis.Tick.Marker.Ticks(axis.Min, axis.Max) {
		c.StrokeLines(svgplot.Thin(svgplot.Grid), []vg.Point{at(from, t.Value), at(to, t.Value)})
	}
}

// vertical draws a grid line at each tick of the horizontal axis.
func vertical(c draw.Canvas, at func(x, y float64) vg.Point, axis plot.Axis, from, to float64) {
	for _, t := range axis.Tick.Marker.Ticks(axis.Min, axis.Max) {
		c.StrokeLines(svgplot.Thin(svgplot.Grid), []vg.Point{at(t.Value, from), at(t.Value, to)})
	}
}

// wholeSteps returns about n whole numbers between low and high, for the ticks of an axis.
func wholeSteps(low, high float64, n int) []float64 {
	return slices.DeleteFunc(svgplot.NiceSteps(low, high, n), func(v float64) bool { return v != math.Trunc(v) })
}

// wholeLabel returns the label of a tick at a whole number.
func wholeLabel(v float64) string { return strconv.Itoa(int(v)) }

// failures draws the number of kept failures of each class, and shows examples.
func (b *builder) failures() section {
	sides := b.sides()
	var classes []string
	counts := make([]map[string]int, len(sides))
	for i, side := range sides {
		counts[i] = make(map[string]int)
		for _, c := range side.FailureClasses() {
			if !slices.Contains(classes, c.Class) {
				classes = append(classes, c.Class)
			}
			counts[i][c.Class] = c.Count
		}
	}
	classes, _ = bounded.Head(classes, b.limits.Figures)
	if len(classes) == 0 {
		return section{}
	}
	highest := 0
	for _, byClass := range counts {
		for _, class := range classes {
			highest = max(highest, byClass[class])
		}
	}
	p := svgplot.New("kept failures", "")
	p.X.Min, p.X.Max = 0, float64(highest)*1.12
	p.X.Tick.Marker = svgplot.Ticks(wholeSteps(0, float64(highest), 4), wholeLabel)
	var names, words []string
	for _, class := range classes {
		names = append(names, plaintext.Clip(class, 18))
		for j, side := range sides {
			words = append(words, fmt.Sprintf("%s, %s: %d", plaintext.Clip(class, 40), side.Label, counts[j][class]))
		}
	}
	svgplot.Categories(&p.Y, 0.6, names)
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		height := 0.7 / float64(len(sides))
		for i, class := range classes {
			for j, side := range sides {
				b := bar{n: counts[j][class], top: float64(len(classes)-1-i) + 0.35 - height*float64(j), height: height}
				b.draw(c, at, side.role)
			}
		}
	}))
	image := b.draw(p, "failures", "Kept failures by class", words, 44+14*len(sides)*len(classes)+8*len(classes))
	s := section{
		ID: "failures", Title: "Failures", Key: b.HasBase, Figures: []figure{{Title: "By class", SVG: image}},
		Lead: []string{"Of each class and repetition the first 20 are kept, so a bar shows which classes there were, " +
			"not how many failed: that, the outcome below says."},
	}
	t := &table{Label: "Examples of failures", Header: []cell{
		{Text: "class"}, {Text: "error"}, {Text: "operation"}, {Text: "repetition", Class: "n"},
		{Text: "device", Class: "n"}, {Text: "status", Class: "n"},
	}}
	seen := make(map[string]int)
	for _, f := range b.Now.Failures {
		if seen[f.Class]++; seen[f.Class] > 3 || len(t.Rows) == min(b.limits.Rows, 30) {
			continue
		}
		status := ""
		if f.Status != 0 {
			status = strconv.Itoa(f.Status)
		}
		t.Rows = append(t.Rows, []cell{
			{Text: b.clip(f.Class), Head: true}, {Text: b.clip(f.Error), Class: "wrap"}, {Text: b.clip(f.Operation)},
			{Text: strconv.Itoa(f.Repetition), Class: "n"}, {Text: strconv.Itoa(f.Device), Class: "n"},
			{Text: status, Class: "n"},
		})
	}
	if len(t.Rows) > 0 {
		s.Table = t
		if n := len(b.Now.Failures) - len(t.Rows); n > 0 {
			s.Omitted = fmt.Sprintf("%d more are in %s.", n, rundir.FailuresFile)
		}
	}
	return s
}

// A bar is a horizontal bar that starts at 0.
type bar struct {
	n           int // its length
	top, height float64
}

// draw draws the bar, with its length beside it. The base's bar is an outline, as its marks are.
func (b bar) draw(c draw.Canvas, at func(x, y float64) vg.Point, role svgplot.Role) {
	right, bottom := float64(b.n), b.top-b.height*0.86
	corners := []vg.Point{at(0, b.top), at(right, b.top), at(right, bottom), at(0, bottom)}
	if role == svgplot.Base {
		c.StrokeLines(svgplot.Thin(role), append(corners, corners[0]))
	} else {
		c.FillPolygon(role.Color(), corners)
	}
	label := at(right, b.top-b.height*0.43)
	label.X += vg.Points(4)
	c.FillText(svgplot.LabelStyle(), label, strconv.Itoa(b.n))
}

package htmlpage

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
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

// linear makes a an axis for values of a metric.
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

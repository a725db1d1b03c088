package htmlpage

import (
	"html/template"
	"math"
	"slices"

	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// A scale maps values to vertical positions of a panel.
type scale struct {
	height      float64
	low, high   float64
	logarithmic bool
	ticks       []float64
	format      func(float64) string
}

// headroom is the room for labels above the highest value, in pixels.
const headroom = 17

// y returns the position of a value.
func (s *scale) y(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.logarithmic {
		share = math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return s.height - 1 - min(max(share, 0), 1)*(s.height-1-headroom)
}

// linearScale returns a scale from 0 to high.
func linearScale(height, high float64, format func(float64) string) *scale {
	if !(high > 0) {
		high = 1
	}
	s := &scale{height: height, high: high, format: format}
	s.ticks = svgplot.NiceSteps(0, high, 3)
	return s
}

// wideRatio is the ratio of the highest to the lowest response time from which on the scale is
// logarithmic, so that a stall doesn't hide what is usual.
const wideRatio = 20

// latencyScale returns a scale for response times in the range of span.
func latencyScale(height float64, span svgplot.Span) *scale {
	if span.Low <= 0 || span.High/span.Low < wideRatio {
		return linearScale(height, span.High, nanoseconds)
	}
	s := &scale{height: height, low: span.Low / 1.1, high: span.High, logarithmic: true, format: nanoseconds}
	s.ticks = svgplot.LogSteps(s.low, s.high)
	if len(s.ticks) > 5 {
		powers := slices.DeleteFunc(slices.Clone(s.ticks), func(v float64) bool {
			_, fraction := math.Modf(math.Log10(v) + 1e-9)
			return fraction > 1e-6
		})
		if len(powers) > 1 {
			s.ticks = powers
		}
	}
	return s
}

// draw draws the labels of the scale, for the column to the left of the plot.
func (s *scale) draw() template.HTML {
	w := &svgplot.Wide{Height: s.height}
	before := ""
	for _, v := range s.ticks {
		label := svgplot.TickLabel(v, s.format)
		if label == before {
			continue
		}
		before = label
		w.Label("tick", svgplot.WideUnits-60, min(s.y(v)+4, s.height-1), "end", label)
	}
	return w.Decoration()
}

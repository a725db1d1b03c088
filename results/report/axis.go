package report

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/fleetmark/fleetmark/results"
)

// A span is the smallest interval that holds some values.
type span struct{ low, high float64 }

func emptySpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s span) empty() bool { return s.low > s.high }

func (s *span) take(values ...float64) {
	for _, v := range values {
		if finite(v) {
			s.low, s.high = min(s.low, v), max(s.high, v)
		}
	}
}

// wider is the span with a margin; a single value gets room on both sides.
func (s span) wider(by float64) span {
	margin := (s.high - s.low) * by
	if margin == 0 {
		margin = math.Abs(s.high) * 0.05
	}
	if margin == 0 {
		margin = 1
	}
	low := s.low - margin
	if s.low >= 0 {
		low = max(low, 0) // what can't be negative isn't drawn as if it could
	}
	return span{low, s.high + margin}
}

// drawable reports whether the numbers can be mapped onto a canvas without a loss that
// would break the mapping.
func (s span) drawable() bool {
	return !s.empty() && math.Abs(s.low) < 1e300 && math.Abs(s.high) < 1e300
}

// short writes a value for a tick: 1.00ms is 1ms there.
func short(v float64, unit string) string {
	if v == 0 {
		return "0"
	}
	text := results.FormatValue(v, unit)
	number := strings.TrimLeft(text, "-+0123456789.")
	digits := strings.TrimSuffix(text, number)
	if strings.Contains(digits, ".") && !strings.HasPrefix(number, "e") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	return digits + number
}

// unitTicks are the ticks of a linear axis in a metric's unit, round in the unit that they
// are shown in: bytes by powers of 1024.
func unitTicks(s span, unit string, n int) plot.ConstantTicks {
	scale := 1.0
	if known, _ := results.LookupUnit(unit); !known.Exact && unit != "MB/s" && strings.Contains(unit, "B") {
		for s.high/scale >= 1024 {
			scale *= 1024
		}
	}
	values := niceSteps(s.low/scale, s.high/scale, n)
	for i := range values {
		values[i] *= scale
	}
	return ticksAt(values, func(v float64) string { return short(v, unit) })
}

func linear(a *plot.Axis, s span, unit string, n int) {
	a.Min, a.Max = s.low, s.high
	a.Tick.Marker = unitTicks(s, unit, n)
}

// logarithmic wants a span above zero.
func logarithmic(a *plot.Axis, s span, label func(float64) string) {
	a.Min, a.Max, a.Scale = s.low, s.high, plot.LogScale{}
	steps := logSteps(s.low, s.high)
	if len(steps) < 3 {
		steps = niceSteps(s.low, s.high, 4)
	}
	a.Tick.Marker = ticksAt(slices.DeleteFunc(steps, func(v float64) bool { return v <= 0 }), label)
}

// namesOf makes an axis one of names beside rows: no line, and room before the data.
func namesOf(a *plot.Axis) {
	a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length, a.Padding = 0, 0, 0, vg.Points(8)
}

package svgplot

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// A Span is the smallest interval that holds the values it was given.
type Span struct{ Low, High float64 }

// NewSpan returns a span of these values, as [Span.Include] adds them.
func NewSpan(values ...float64) Span {
	s := Span{math.Inf(1), math.Inf(-1)}
	s.Include(values...)
	return s
}

// Include widens the span to hold the values. It ignores infinities and NaN.
func (s *Span) Include(values ...float64) {
	for _, v := range values {
		if IsFinite(v) {
			s.Low, s.High = min(s.Low, v), max(s.High, v)
		}
	}
}

// Padded returns the span with a margin on both sides, given as a share of its length. A span of a
// single value gets a margin too. The result has no negative values if the span has none.
func (s Span) Padded(share float64) Span {
	margin := (s.High - s.Low) * share
	if margin == 0 {
		margin = math.Abs(s.High) * 0.05
	}
	if margin == 0 {
		margin = 1
	}
	low := s.Low - margin
	if s.Low >= 0 {
		low = max(low, 0)
	}
	return Span{low, s.High + margin}
}

// Drawable reports whether the span can be mapped onto a canvas: it isn't empty, and floating-point
// arithmetic on its ends doesn't overflow.
func (s Span) Drawable() bool {
	return s.Low <= s.High && math.Abs(s.Low) < 1e300 && math.Abs(s.High) < 1e300
}

// IsFinite reports whether x is neither an infinity nor NaN.
func IsFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// TickLabel returns a value as format formats it, without trailing zeros: "1ms" for "1.00ms".
func TickLabel(v float64, format func(float64) string) string {
	if v == 0 {
		return "0"
	}
	text := format(v)
	rest := strings.TrimLeft(text, "-+0123456789.")
	digits := strings.TrimSuffix(text, rest)
	if strings.Contains(digits, ".") && !strings.HasPrefix(rest, "e") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	return digits + rest
}

// Linear makes a an axis over s with about n ticks, which format labels. Ticks are at round
// numbers; if binary is set, they are round in the power of 1024 that the labels use.
func Linear(a *plot.Axis, s Span, n int, binary bool, format func(float64) string) {
	scale := 1.0
	for binary && s.High/scale >= 1024 {
		scale *= 1024
	}
	values := NiceSteps(s.Low/scale, s.High/scale, n)
	for i := range values {
		values[i] *= scale
	}
	a.Min, a.Max = s.Low, s.High
	a.Tick.Marker = Ticks(values, func(v float64) string { return TickLabel(v, format) })
}

// Logarithmic makes a a logarithmic axis over s, which must be above zero.
func Logarithmic(a *plot.Axis, s Span, label func(float64) string) {
	a.Min, a.Max, a.Scale = s.Low, s.High, plot.LogScale{}
	steps := logSteps(s.Low, s.High)
	if len(steps) < 3 {
		steps = NiceSteps(s.Low, s.High, 4)
	}
	a.Tick.Marker = Ticks(slices.DeleteFunc(steps, func(v float64) bool { return v <= 0 }), label)
}

// Categories makes a an axis of names beside rows, without a line and at a distance from the data.
func Categories(a *plot.Axis) {
	a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length, a.Padding = 0, 0, 0, vg.Points(8)
}

// Ticks returns ticks at values, with their labels. It leaves out a tick whose label is the same as
// the label before it.
func Ticks(values []float64, label func(float64) string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	previous := ""
	for _, v := range values {
		text := label(v)
		if text == previous {
			continue
		}
		previous = text
		ticks = append(ticks, plot.Tick{Value: v, Label: text})
	}
	return ticks
}

// NiceSteps returns about n round values between low and high, and at least three if possible.
func NiceSteps(low, high float64, n int) []float64 {
	values := roundSteps(low, high, n)
	if len(values) < 3 {
		values = roundSteps(low, high, 2*n)
	}
	return values
}

func roundSteps(low, high float64, n int) (values []float64) {
	raw := (high - low) / float64(n)
	if !(raw > 0) || !IsFinite(raw) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, by := range []float64{1, 2, 5, 10} {
		if step*by >= raw {
			step *= by
			break
		}
	}
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-12)+step*1e-9 && len(values) <= 2*n+2; i++ {
		values = append(values, i*step)
	}
	return values
}

// logSteps returns 1, 2 and 5 times the powers of ten between low and high, or only the powers if
// there are many.
func logSteps(low, high float64) (values []float64) {
	multiples := []float64{1, 2, 5}
	if high/low > 300 {
		multiples = []float64{1}
	}
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				values = append(values, v)
			}
		}
	}
	return values
}

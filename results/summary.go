package results

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Summary describes a sample by its median.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`

	// Low and High bound the median with 95% confidence, without assumptions about the
	// distribution. They are nil if the sample is too small for a bound (fewer than 6). For an
	// exact metric they are the smallest and the largest value.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`

	interval string // as benchstat prints it: "2%", "∞"
}

// confidence is the level of the interval around a median.
const confidence = 0.95

// Summarize returns the summary of values, which may be in any order. If exact, Low and High are
// the smallest and the largest value. It returns nil if there is no value, or one isn't finite.
func Summarize(values []float64, exact bool) *Summary {
	if len(values) == 0 || slices.ContainsFunc(values, func(v float64) bool { return !IsFinite(v) }) {
		return nil
	}
	values = slices.Sorted(slices.Values(values))
	s := &Summary{N: len(values)}
	if exact {
		s.Median = stats.Median(values)
		s.Low, s.High = &values[0], &values[len(values)-1]
		return s
	}
	sample := benchmath.NewSample(values, &benchmath.DefaultThresholds)
	summary := benchmath.AssumeNothing.Summary(sample, confidence)
	s.Median, s.interval = summary.Center, summary.PctRangeString()
	if IsFinite(summary.Lo) && IsFinite(summary.Hi) {
		s.Low, s.High = &summary.Lo, &summary.Hi
	}
	return s
}

// Interval returns half the width of the interval, as benchstat prints it: "2%", or "∞" if the
// sample is too small for a bound. It is empty for an exact metric.
func (s Summary) Interval() string { return s.interval }

// Differs reports whether the values of an exact metric's sample differ from each other.
func (s *Summary) Differs() bool { return *s.Low != *s.High }

// Worst returns the worst value of an exact metric's sample.
func (s *Summary) Worst(unit Unit) float64 {
	if unit.Better > 0 {
		return *s.Low
	}
	return *s.High
}

// RelativeChange returns the change from old to now as a share of old: 0.1 is a tenth more. It
// returns nil if the change is infinite, as a change from zero is.
func RelativeChange(old, now float64) *float64 {
	change := now/old - 1
	switch {
	case old == now:
		change = 0
	case old == 0:
		return nil
	}
	if !IsFinite(change) {
		return nil
	}
	return &change
}

// Worsening returns by how much now is worse than old, as a share of old. It is negative if now is
// better. If old is zero and now isn't, it is an infinity.
func (u Unit) Worsening(old, now float64) float64 {
	if old == now {
		return 0
	}
	return float64(-u.Better) * (now - old) / math.Abs(old)
}

// CompareExact compares the medians of an exact metric. worse is 1 if now's median is worse, -1 if
// it is better, and 0 if both are the same. someWorse reports whether the median isn't worse, but
// some value of now is worse than all of base.
func (u Unit) CompareExact(base, now *Summary) (worse int, someWorse bool) {
	worse = cmp.Compare(u.Worsening(base.Median, now.Median), 0)
	return worse, worse <= 0 && u.Worsening(base.Worst(u), now.Worst(u)) > 0
}

// Medians returns the median of each metric over the repetitions, by operation and unit.
func Medians(records []Record) map[string]map[string]float64 {
	samples := make(map[string]map[string][]float64)
	for _, r := range records {
		units := samples[r.Op]
		if units == nil {
			units = make(map[string][]float64)
			samples[r.Op] = units
		}
		for _, v := range r.Values {
			units[v.Unit] = append(units[v.Unit], v.Value)
		}
	}
	medians := make(map[string]map[string]float64, len(samples))
	for op, units := range samples {
		medians[op] = make(map[string]float64, len(units))
		for unit, values := range units {
			medians[op][unit] = stats.Median(values)
		}
	}
	return medians
}

// Package stats implements the statistics that package results and its subpackages need and no
// library provides: exact rank tests with their estimates and bounds, Student's interval of a mean,
// and Holm's correction for many tests.
//
// Every function takes values and returns numbers. The package knows no metrics, no directions and
// no verdicts, and it imports nothing of Fleetmark.
package stats

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// Median returns the median of values, which must not be empty. It sorts them in place.
func Median(values []float64) float64 {
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return values[mid-1] + (values[mid]-values[mid-1])/2
}

// Differ reports whether values differ from each other.
func Differ(values []float64) bool {
	return len(values) > 0 && slices.Min(values) != slices.Max(values)
}

// Mean returns the mean of values, which must not be empty.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// StandardError returns the standard error of the mean of values. It returns 0 for a single value.
func StandardError(values []float64) float64 {
	n, mean, squares := float64(len(values)), Mean(values), 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / max(1, n-1) / n)
}

// A Location estimates the center of the differences of pairs.
type Location struct {
	Estimate  float64
	Low, High float64 // the interval around Estimate; 0 unless Bounded
	Bounded   bool    // whether there are enough differences for an interval
	P         float64 // the p-value of the hypothesis that the location is 0
}

// SignedRanks returns the location by Wilcoxon's signed-rank test. outside is how many averages of
// two differences lie outside the interval at either end, as [SignedRankQuantile] returns it.
func SignedRanks(differences []float64, outside int) Location {
	l := Location{P: signedRankP(differences)}
	if len(differences) == 0 {
		return l
	}
	l.Estimate, l.Low, l.High, l.Bounded = hodgesLehmann(differences, outside)
	return l
}

// StudentT returns the location by Student's t-test, with an interval of the given confidence. It
// suits differences that are themselves means of many values, and therefore nearly normally
// distributed.
func StudentT(differences []float64, confidence float64) Location {
	n := float64(len(differences))
	if n == 0 {
		return Location{P: 1}
	}
	l := Location{Estimate: Mean(differences), P: 1}
	if n < 2 {
		return l
	}
	deviation := StandardError(differences)
	t := stats.TDist{V: n - 1}
	half := deviation * stats.InvCDF(t)((1+confidence)/2)
	l.Low, l.High, l.Bounded = l.Estimate-half, l.Estimate+half, true
	switch {
	case deviation > 0:
		l.P = 2 * t.CDF(-math.Abs(l.Estimate)/deviation)
	case l.Estimate != 0: // all differences are the same
		l.P = 0
	}
	return l
}

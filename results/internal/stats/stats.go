// Package stats implements the statistics that results needs and no library provides: exact rank
// tests with their estimates and bounds, Student's interval of a mean, and Holm's correction for
// many tests.
//
// Every function takes values and returns numbers. The package knows no metrics, no directions and
// no verdicts, and it imports nothing of Fleetmark.
package stats

import (
	"math"
	"slices"
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

// Package stats implements the statistics that results needs and no library provides: exact rank
// tests with their estimates and bounds, Student's interval of a mean, and Holm's correction for
// many tests.
//
// Every function takes values and returns numbers. The package knows no metrics, no directions and
// no verdicts, and it imports nothing of Fleetmark.
package stats

import "slices"

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

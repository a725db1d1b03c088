// Package stats holds the statistics that results needs and no library of ours to import has: exact
// rank tests with the estimates and bounds that belong to them, Student's interval of a mean, and
// Holm's correction for many tests.
//
// Every function takes values and returns numbers. The package knows nothing of metrics, of which
// way is better, or of verdicts, and it imports nothing of Fleetmark's.
package stats

import "slices"

// Median returns the median of values, of which there must be one at least. It sorts them in place.
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

// Package compare puts results in the Go benchmark format beside each other, as benchstat does.
//
// [Open] reads an input: a file that go test wrote, a run directory, or a baseline page. [Inputs] compares
// any number of them with the first, and returns a [Comparison]: a [Table] for each metric and configuration,
// with benchstat's center, interval, delta and p, to the last digit. A Comparison writes itself as text,
// Markdown, CSV or JSON.
//
// The package judges nothing: it knows no tolerances, and a comparison has no verdict.
package compare

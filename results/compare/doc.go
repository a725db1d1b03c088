// Package compare compares results in the Go benchmark format, as benchstat does.
//
// [Open] reads an input: a file that go test wrote, a run directory, or a baseline page. [Inputs]
// compares any number of them with the first, and returns a [Comparison]: a [Table] for each metric
// and configuration, with the same center, interval, delta and p as benchstat, to the last digit. A
// Comparison writes itself as text, Markdown, CSV or JSON.
//
// The package judges nothing: it knows no tolerances, and a comparison has no verdict.
package compare

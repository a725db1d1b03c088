// Package results has the nouns of a measurement: records, units, runs, thresholds and verdicts.
//
// A load is measured as one [Record] for each repetition and operation, with the facts of the run
// around them: [Run], [Machine], [Counts], [Operations]. From there:
//
//	Record ── SampleWriter ──> samples.txt ──┐
//	Run ──────────────────────> run.json ────┴─> package rundir ──┬─> package compare: benchstat's table
//	                                                              ├─> package judge: a verdict
//	                                             package baseline ┘
//
// The parts of this package:
//
//   - [Units] lists every metric with its direction, class, tolerances and format. No other code
//     has a list of metrics; it names a metric only to measure it, or to show it by itself.
//   - A [SampleWriter] writes records in the Go benchmark format
//     (golang.org/design/14313-benchmark-format), which benchstat reads, and [ParseSamples] reads
//     them.
//   - [Summarize] describes a sample as benchstat does, to the last digit.
//   - A [Threshold] compares a metric with a limit that a scenario sets.
//
// The package doesn't know how a device is driven (delivery), what a device is (mockfleet), how
// load is made (scenarios), or what a profile holds (profiles). It opens no connection, starts no
// goroutine, and has no clock: times are handed in.
package results

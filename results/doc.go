// Package results keeps what a run measured, and compares it.
//
// What goes in: one [Record] a repetition and operation, made by whoever ran the
// load, and the facts of the run around them ([Run], [Machine], [Counts]).
// What comes out: files that people and the Go benchmark tools both read, a
// comparison with benchstat's statistics. Package judge makes verdicts of them.
//
// The pipeline, from the left:
//
//		Record ── SampleWriter ──> samples.txt ──┐
//		Run ───── RunDirectory ──> run.json ─────┴─> LoadRun ──┬─> Compare ────> Comparison
//		                                                       ├─> judge.Judge ──> Judgement
//		Baseline ─ WriteBaseline ─> BASELINE_METRICS.md ───────┘
//		                            ReadBaseline
//
//	 1. A [Record] holds the metrics of one operation in one repetition. [Units]
//	    lists every metric with its direction, its class and its tolerance.
//	 2. [SampleWriter] writes records as lines of the Go benchmark format
//	    (golang.org/design/14313-benchmark-format), so that benchstat reads them.
//	 3. [RunDirectory] appends them, flushed to the disk, as each repetition ends.
//	    A process killed at any moment leaves a directory that [LoadRun] reads and
//	    marks as unfinished.
//	 4. [Compare] puts any number of files beside each other through the same
//	    packages, in the same order, as benchstat: its centre, interval, delta and
//	    p are benchstat's, to the last digit.
//	 5. [WriteBaseline] and [ReadBaseline] keep the baseline: a Markdown page that
//	    a person reads, benchstat reads, and nobody edits unnoticed.
//
// What it must never know: how a device is driven (delivery), what a device is
// (mockfleet), how load is made (scenarios), or what a profile holds (profiles).
// It opens no connection and starts no goroutine. It has no clock: times are
// handed in.
package results

// Package health tells whether something other than the code under test determined what a run
// measured: the harness, the simulated fleet, or whatever else the machine did.
//
// Numbers go in: how busy and how late driver and fleet were, and what a process held before and
// after. Findings come out, each a kind and a sentence, and the numbers that run.json keeps of
// them. The checks are pure functions; only [ReferenceBenchmark], [MeasureInterference] and
// [ReadMachineCPU] measure something themselves.
//
// The package must never know scenarios or files, nor what a finding means for a run: a finding
// makes an ordinary run invalid, and tells a search that a rate is too high.
package health

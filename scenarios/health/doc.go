// Package health finds out whether something other than the code under test determined what a run
// measured: the harness, the simulated fleet, or other load on the machine.
//
// Its input is numbers: how busy and how late driver and fleet were, and which resources a process
// held before and after. Its output is findings, each a kind and a sentence, and the numbers that
// run.json keeps of them. The checks are pure functions; only [ReferenceBenchmark],
// [MeasureInterference] and [ReadMachineCPU] measure something themselves.
//
// The package doesn't know scenarios or files, or what a finding means for a run: a finding makes
// an ordinary run invalid, but tells a search that a rate is too high.
package health

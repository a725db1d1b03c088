// Package gobench measures the Go benchmarks of a module, whoever wrote them.
//
// [Compare] measures the benchmarks of a git revision and of the working tree, and says which
// differ:
//
//   - It builds both sides' test binaries, each from its own files, modules and toolchain
//     ([checkout.Pair]).
//   - It runs each benchmark once, to find sub-benchmarks and benchmarks that can't be measured.
//   - It finds out how many iterations of each benchmark take 50 ms.
//   - In every round it measures each open benchmark in four blocks: base, now, now and base, or the
//     other way round. A block is a process of its own, so whatever a process draws once, such as
//     addresses and hash seeds, differs from block to block and is part of the noise.
//   - A [sequential.Test] decides from the ratios of the blocks. A decided benchmark rests.
//
// [Outcome.Explain] profiles what regressed on both sides, in turns again, and names the functions.
//
// A [TestCommand] is the `go test -bench` command that fills a baseline page. [TestCommand.Try]
// runs each benchmark once, which finds in seconds what can't be measured. [Trial.Measure] then
// runs exactly the command, and returns the lines of go test with the samples in them. A benchmark
// without a usable result is a [*TestError], never a missing result.
//
// The package knows nothing of scenarios, devices or the delivery client, and prints nothing.
package gobench

// Package gobench measures the Go benchmarks of a module, whoever wrote them.
//
// [Compare] measures those of a git revision and those of the working tree, and says which differ:
//
//   - Both sides' test binaries are built, each from its own files, modules and toolchain
//     ([checkout.Pair]).
//   - Each benchmark runs once, which finds sub-benchmarks and those that can't be measured.
//   - Each benchmark of both sides gets a number of iterations that takes 50 ms.
//   - In every round each open benchmark is measured in four blocks: base, now, now and base, or the
//     other way round. A block is a process of its own, so whatever a process draws once for its
//     life, such as addresses and hash seeds, differs from block to block, and is part of the noise.
//   - [sequential.Test] decides from the ratios of the blocks, and lets a benchmark rest that is decided.
//
// [Outcome.Explain] profiles what regressed on both sides, by turns again, and names the functions.
//
// A [TestCommand] is the `go test -bench` command that fills a baseline page. [TestCommand.Try] runs
// each benchmark once, which finds in seconds what can't be measured; [Trial.Measure] then runs exactly
// the command and returns go test's own lines with the samples parsed from them. A benchmark without a
// usable result is a [*TestError], never a result that is missing.
//
// The package knows nothing of scenarios, devices or the delivery client, and prints nothing.
package gobench

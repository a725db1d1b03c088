// Package profiles reads, merges and writes pprof profiles of repetitions.
//
// Its input is files, such as those that package capture writes. Its output is their samples and
// labels, and a breakdown of allocations by component. Package view shows profiles, and package
// explain compares them.
//
//	dir/KIND.REPETITION.pb.gz ──> Find ──> Load, ReadSamples ──> BreakdownOf, package view, package explain
//
// [Find] returns the files of a [Kind] in a run directory. [Load] reads one file; its [FileError]
// says what is wrong with the file. [ReadSamples] merges the samples of repetitions in four bytes a
// frame, so that large profiles fit into memory. [Write] writes a profile atomically, and [Import]
// copies a profile that another program wrote.
//
// The package doesn't know the client under test, the simulated devices or the scenario, and judges
// nothing: it sees only labels and stacks. It opens no connection, and writes only the files that
// it was asked for.
package profiles

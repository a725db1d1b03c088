// Package profiles reads, merges and writes pprof profiles of repetitions.
//
// What goes in: files of profiles, such as those that package capture takes. What comes out: their
// samples and labels, and what was allocated for what. Package view shows profiles, package explain
// compares them.
//
//	dir/KIND.REPETITION.pb.gz ──> Find ──> Load, ReadSamples ──> BreakdownOf, package view, package explain
//
// [Find] turns a run directory and a [Kind] into files. [Load] reads one, and names what is wrong
// with it in a [FileError]. [ReadSamples] merges the samples of repetitions in four bytes a frame,
// so that large profiles fit. [Write] writes a profile so that it is there whole or not at all;
// [Import] takes one over that another program wrote.
//
// # What it must never know
//
// The load: neither the client under test nor the simulated devices, nor the scenario that joined
// them, nor how results are judged. It sees labels and stacks. It never opens a connection, and it
// writes nothing but the files asked for.
package profiles

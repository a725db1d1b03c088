// Package profiles reads pprof profiles of repetitions, and says where the time and the memory of a run went.
//
// What goes in: files of profiles, such as those that package capture takes. What comes out: the text that "go tool
// pprof -top" prints of them, and the same numbers as rows.
//
// # The pipeline
//
//	dir/KIND.REPETITION.pb.gz ──> Find ──> Load ──> Top, TopRows
//
// [Find] turns a run directory and a [Kind] into files, [Load] reads one and names what is wrong
// with it in a [FileError], and [Top] and [TopRows] merge repetitions and print them. [Diff] and
// [Flame] show one set of files less another. All of these read a profile's samples in four bytes a
// frame, so that a large one fits, and quote the names in it that can't be printed: anybody may
// have written it.
//
// # What it must never know
//
// The load: neither the client under test nor the simulated devices, nor the scenario that joined
// them, nor how results are judged. It sees labels and stacks. It never opens a connection, not
// even where a profile names a server, and it writes nothing but the files asked for: no standard
// output, no settings, no temporary files that stay.
package profiles

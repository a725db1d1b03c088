// Package profiles captures pprof profiles of this process, one set a
// repetition, and says where the time and the memory of a run went.
//
// What goes in: a directory, the number of a repetition and a [Config]; later,
// the files themselves. What comes out: files that any pprof reads, the text
// that "go tool pprof -top" prints of them, and the same numbers as rows.
//
// # The pipeline
//
//	Start ── the load runs ── Stop ──> dir/KIND.REPETITION.pb.gz ──> Find ──> Load ──> Top, TopRows
//
// [Start] checks the configuration, turns the mutex and block profilers on, takes a base of every
// profile that the runtime only ever adds to, and starts the CPU profiler last, so that what the
// capture costs is paid before the repetition begins. [Capture.Stop] ends it in the opposite order,
// puts the rates back and writes the files:
//
//   - cpu, allocs, mutex and block hold the repetition alone. The runtime counts
//     the last three from the start of the process, so the file is what stood at
//     Stop less what stood at Start;
//   - heap is what was live after a garbage collection at Stop;
//   - goroutine is taken while the load runs, not when it has gone.
//
// Stacks through the capture itself are left out of all of them. Every profile carries the caller's
// labels as comments, is encoded, parsed again and compared before it is written, and reaches its
// name only whole: written to a temporary file, synced, renamed.
//
// [Find] turns a run directory and a [Kind] into files, [Load] reads one and names what is wrong
// with it in a [FileError], and [Top] and [TopRows] merge repetitions and print them. [Diff] and
// [Flame] show one set of files less another. All of these read a profile's samples in four bytes a
// frame, so that a large one fits, and quote the names in it that can't be printed: anybody may
// have written it. Only repetitions that are profiled pay: nothing is left on between them.
//
// # What it must never know
//
// The load: neither the client under test nor the simulated devices, nor the scenario that joined
// them, nor how results are judged. It sees labels and stacks. It never opens a connection, not
// even where a profile names a server, and it writes nothing but the files asked for: no standard
// output, no settings, no temporary files that stay.
//
// # One process, one capture
//
// The profilers and their rates belong to the process, so one [Capture] runs at a
// time; a second Start returns [ErrBusy].
package profiles

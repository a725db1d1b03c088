// Package capture takes pprof profiles: of this process, one set a repetition, or of another one
// over HTTP.
//
// What goes in: a directory, the number of a repetition and a [Config]. What comes out: files that
// package profiles, and any pprof, reads.
//
//	Start ── the load runs ── Stop ──> dir/KIND.REPETITION.pb.gz
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
// Stacks through this package are left out of all of them. Every profile carries the caller's
// labels as comments, is encoded, parsed again and compared before it is written, and reaches its
// name only whole: written to a temporary file, synced, renamed. Only repetitions that are profiled
// pay: nothing is left on between them.
//
// [Remote] takes the same of a service that serves net/http/pprof. It is all that opens connections
// here, and only to the address that it is given. [StartFlightRecorder] traces this process all the
// time, and writes down the last moments on demand. [CountGoroutines] counts goroutines by their
// stacks.
//
// The package never knows the load: neither the client under test nor the simulated devices, nor
// the scenario that joined them. It writes nothing but the files asked for.
//
// The profilers and their rates belong to the process, so one [Capture] runs at a time; a second
// Start returns [ErrBusy].
package capture

// Package capture captures pprof profiles: of this process, one set for each repetition, or of
// another process over HTTP.
//
// Its input is a directory, the number of a repetition and a [Config]. Its output is files that
// package profiles reads, as any pprof does.
//
//	Start ── the load runs ── Stop ──> dir/KIND.REPETITION.pb.gz
//
// [Start] checks the configuration, turns on the mutex and block profilers, takes a snapshot of
// every profile that the runtime accumulates, and starts the CPU profiler last, so that the cost of
// the capture comes before the repetition. [Capture.Stop] stops the profilers in the opposite
// order, restores their rates and writes the files:
//
//   - cpu, allocs, mutex and block hold the repetition alone. The runtime accumulates the last three
//     from the start of the process, so the file holds the difference between Stop and Start.
//   - heap holds what was live after a garbage collection at Stop.
//   - goroutine is captured while the load runs, since its goroutines end before Stop.
//
// Stacks that hold a function of this package are left out. Every profile has the caller's labels
// as comments. A file is written atomically, and only after its encoding was parsed again and
// compared. Between repetitions nothing is turned on, so a repetition that isn't profiled costs
// nothing extra.
//
// [Remote] captures the same profiles of a service that serves net/http/pprof. It alone opens
// connections, and only to the address that it is given. [StartFlightRecorder] traces this process
// continuously, and writes the last second to a file on request. [CountGoroutines] counts
// goroutines by their stacks.
//
// The package doesn't know the client under test, the simulated devices or the scenario. It writes
// only the files that it was asked for.
//
// The profilers and their rates belong to the process, so one [Capture] runs at a time; a second
// Start returns [ErrBusy].
package capture

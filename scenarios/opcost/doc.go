// Package opcost measures what a single operation of the client costs: how long each of its phases
// takes, which parts of the code allocate for it, and whether a larger artifact takes more memory.
//
// Its input is a [Config], which says what to measure and with how many operations, and the command
// that starts a fleet. Its output is numbers, as a [Report]. [Run] starts a child process, which
// calls [Serve]. The child does one operation at a time against devices in a third process:
//
//	fleet's process <── one operation after another ── delivery.Client
//	                         ├── Config.Observe   ──> Phases, medians
//	                         ├── capture.Capture ──> Allocations, by component and call site
//	                         └── peak of memory   ──> PushMemory
//
// The child exists because allocations are exact only in a process whose runtime.MemProfileRate was
// 1 before it did anything, and which does nothing else. Serve refuses to count them in any other process.
//
// The package never knows how its numbers are shown, nor which of them are good.
package opcost

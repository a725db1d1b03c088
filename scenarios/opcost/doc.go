// Package opcost takes single operations of the client apart: how long each of their phases takes,
// which parts of the code allocate for them, and whether a larger artifact takes more memory.
//
// What goes in: the command that starts a fleet, and how many operations to look at.
// What comes out: numbers, as [Report]. It measures in its own process, one operation at
// a time; the devices are in another.
//
//	fleet's process <── one operation after another ── delivery.Client
//	                         ├── Config.Observe   ──> Phases, medians
//	                         ├── profiles.Capture ──> Allocations, by component and call site
//	                         └── peak of memory   ──> Stream
//
// The allocations are exact only in a process whose runtime.MemProfileRate was 1 before
// it did anything; [Measure] refuses another. So the command starts itself again for it.
//
// It must never know how its numbers are shown, nor what of them is good.
package opcost

package results

import (
	"sync"

	"golang.org/x/perf/benchunit"
)

// Names of metrics that code must mention.
const (
	UnitMean        = "ns/op"
	UnitP50         = "p50-ns/op"
	UnitP99         = "p99-ns/op"
	UnitRate        = "ops/s"
	UnitLimit       = "limit-ops/s"
	UnitThroughput  = "MB/s"
	UnitCPU         = "cpu-ns/op"
	UnitBytes       = "B/op"
	UnitAllocations = "allocs/op"
	UnitRequests    = "requests/device"
	UnitFailed      = "failed/device"
	UnitFailedFleet = "failed/fleet"
	UnitStopped     = "stopped"
	UnitPeakMemory  = "peak-rss-B"
)

// Tolerances. Between two runs of identical code, minutes apart on a shared virtual machine with two cores, the
// mean moves by ±10%, and the tails, which rest on a few operations, by more. A baseline is older than minutes.
// So a comparison with a baseline can find a quarter more time and half more tail, and nothing finer; measuring
// both sides in turns can.
//
// What doesn't depend on the machine's speed has a narrow tolerance: the number of allocations moves only by what
// pools happen to keep (2%), allocated bytes also by how buffers happened to grow (5%), and exact units not at
// all.
const (
	toleranceTime        = 0.25
	toleranceTail        = 0.50
	toleranceMemory      = 0.20
	toleranceBytes       = 0.05
	toleranceAllocations = 0.02
)

// Slacks. A terminal's progress bar, the runtime's own bookkeeping and a histogram that grows allocate some hundred
// objects in each repetition, which thousands of operations share. One object more per operation is four times the
// slack.
const (
	slackBytes       = 32
	slackAllocations = 0.25
)

// InexactTolerance is the tolerance of an exact metric that timing determines as well, such as the requests while a
// device is awaited.
const InexactTolerance = 0.05

// allocationGranularity is the number of bytes that an allocation is rounded up to.
const allocationGranularity = 8

// unitTable is in the order in which pages show the metrics.
var unitTable = [...]Unit{
	{ // between two sides it holds the scheduler's noise beside the machine's: half as much again as cpu-ns/op
		Name: "ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTime, Sequential: Margin{Relative: 0.04},
		Doc: "mean response time, from when the operation was planned to its end",
	},
	{
		Name: "p50-ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTime,
		Doc: "median response time",
	},
	{
		Name: "p75-ns/op", Better: -1, Class: ClassTime, ShownOnly: true, Tolerance: toleranceTime,
		Doc: "response time that 75% of the operations kept within",
	},
	{
		Name: "p90-ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTime,
		Doc: "response time that 90% of the operations kept within",
	},
	{
		Name: "p95-ns/op", Better: -1, Class: ClassTime, ShownOnly: true, Tolerance: toleranceTail,
		Doc: "response time that 95% of the operations kept within",
	},
	{
		Name: "p99-ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTail, Sequential: Margin{Relative: 0.10},
		Doc: "response time that 99% of the operations kept within",
	},
	{
		Name: "p99.9-ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTail,
		Doc: "response time that 99.9% of the operations kept within",
	},
	{
		Name: "max-ns/op", Better: -1, Class: ClassTime, ShownOnly: true, Tolerance: toleranceTail,
		Doc: "longest response time",
	},
	{
		Name: "service-p99-ns/op", Better: -1, Class: ClassTime, Tolerance: toleranceTail,
		Doc: "99th percentile from when the operation was sent, its wait for a worker left out",
	},
	{
		Name: "ops/s", Better: +1, Class: ClassRate, Scope: WholeLoad, Tolerance: toleranceTime,
		Doc: "operations a second that succeeded within the plan, over its length; without a plan, over the repetition",
	},
	{
		Name: "limit-ops/s", Better: +1, Class: ClassRate, Scope: WholeLoad, Tolerance: toleranceTime,
		Doc: "highest rate that still held, as a search found it",
	},
	{
		Name: "MB/s", Better: +1, Class: ClassRate, Scope: WholeLoad, Quantity: BytesPerSecond, Tolerance: toleranceTime,
		Doc: "artifact bytes delivered a second, likewise, in units of 1,000,000",
	},
	{
		Name: "cpu-ns/op", Better: -1, Class: ClassCPU, Scope: WholeLoad, Tolerance: toleranceTime, Sequential: Margin{Relative: 0.025},
		Doc: "processor time of the driver, user and system, an operation",
	},
	{
		Name: "B/op", Better: -1, Class: ClassAllocation, Scope: WholeLoad, MayBeZero: true, Tolerance: toleranceBytes, Slack: slackBytes, Sequential: Margin{Relative: 0.01, Slack: allocationGranularity, Absolute: true},
		Doc: "heap bytes allocated an operation",
	},
	{
		Name: "allocs/op", Better: -1, Class: ClassAllocation, Scope: WholeLoad, Quantity: Objects, MayBeZero: true, Tolerance: toleranceAllocations, Slack: slackAllocations, Sequential: Margin{Slack: slackAllocations, Absolute: true},
		Doc: "heap objects allocated an operation",
	},
	{
		Name: "requests/device", Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Sequential: Margin{Relative: InexactTolerance, Absolute: true},
		Doc: "HTTP requests sent a device, retries among them",
	},
	{
		Name: "wire-B/device", Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Sequential: Margin{Relative: InexactTolerance, Absolute: true},
		Doc: "bytes written to the network a device",
	},
	{
		Name: "retries/device", Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, MayBeZero: true, Sequential: Margin{Relative: InexactTolerance, Absolute: true},
		Doc: "requests sent again a device",
	},
	{
		Name: "failed/device", Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Quantity: Share, MayBeZero: true, Sequential: Margin{Relative: InexactTolerance, Absolute: true},
		Doc: "share of the devices whose operation failed",
	},
	{
		Name: "failed/fleet", Better: -1, Class: ClassCount, Scope: WholeLoad, Quantity: Share, MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet whose delivery failed, of a rollout that may stop",
	},
	{
		Name: "updated/fleet", Better: +1, Class: ClassCount, Scope: WholeLoad, Quantity: Share, MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet that runs the update after a rollout",
	},
	{
		Name: "reached/fleet", Better: +1, Class: ClassCount, Scope: WholeLoad, Quantity: Share, MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet that a rollout began to update",
	},
	{
		Name: "stopped", Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, MayBeZero: true, Sequential: Margin{Relative: InexactTolerance, Absolute: true},
		Doc: "1 where a rollout stopped itself, 0 where it didn't",
	},
	{
		Name: "failed-p99-ns/op", Better: -1, Class: ClassTime, Scope: WholeLoad, Tolerance: toleranceTail,
		Doc: "response time that 99% of the failed operations kept within, where any failed",
	},
	{
		Name: "peak-rss-B", Better: -1, Class: ClassMemory, Scope: WholeLoad, Tolerance: toleranceMemory, Sequential: Margin{Relative: 0.10},
		Doc: "largest resident memory of the driver",
	},
}

// Units returns every metric that a run may record, in the order in which pages show them. The slice is the
// caller's.
func Units() []Unit { return append([]Unit(nil), unitTable[:]...) }

// unitIndex holds the place in unitTable of each name that [LookupUnit] knows.
var unitIndex = sync.OnceValue(func() map[string]int {
	index := map[string]int{}
	for i, u := range unitTable {
		_, tidied := benchunit.Tidy(1, u.Name)
		index[u.Name], index[tidied] = i, i
	}
	return index
})

// LookupUnit returns the metric with a name in samples.txt ("ns/op"), or with the name that benchstat gives it
// after it has turned it into base units ("sec/op"). It reports false for any other name.
func LookupUnit(name string) (Unit, bool) {
	i, ok := unitIndex()[name]
	if !ok {
		return Unit{}, false
	}
	return unitTable[i], true
}

// UnitOrder returns the place of a metric in the order of [Units]. A metric that it lacks comes last.
func UnitOrder(name string) int {
	if i, ok := unitIndex()[name]; ok && unitTable[i].Name == name {
		return i
	}
	return len(unitTable)
}

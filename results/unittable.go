package results

import (
	"slices"
	"sync"

	"golang.org/x/perf/benchunit"
)

// Names of metrics.
const (
	UnitMean         = "ns/op"
	UnitP50          = "p50-ns/op"
	UnitP75          = "p75-ns/op"
	UnitP90          = "p90-ns/op"
	UnitP95          = "p95-ns/op"
	UnitP99          = "p99-ns/op"
	UnitP999         = "p99.9-ns/op"
	UnitMax          = "max-ns/op"
	UnitServiceP99   = "service-p99-ns/op"
	UnitRate         = "ops/s"
	UnitLimit        = "limit-ops/s"
	UnitThroughput   = "MB/s"
	UnitCPU          = "cpu-ns/op"
	UnitBytes        = "B/op"
	UnitAllocations  = "allocs/op"
	UnitRequests     = "requests/device"
	UnitWire         = "wire-B/device"
	UnitRetries      = "retries/device"
	UnitFailed       = "failed/device"
	UnitFailedFleet  = "failed/fleet"
	UnitUpdatedFleet = "updated/fleet"
	UnitReachedFleet = "reached/fleet"
	UnitStopped      = "stopped"
	UnitFailedP99    = "failed-p99-ns/op"
	UnitPeakMemory   = "peak-rss-B"
	UnitUpdated      = "updated"
	UnitFailures     = "failed"
	UnitLost         = "lost"
	UnitAppliedTwice = "applied_twice"

	UnitToUpdatedP50  = "time-to-updated-p50-ns/op"
	UnitToUpdatedP90  = "time-to-updated-p90-ns/op"
	UnitToUpdatedP99  = "time-to-updated-p99-ns/op"
	UnitToUpdatedMax  = "time-to-updated-max-ns/op"
	UnitRolloutTime   = "rollout-ns"
	UnitDevicesAtOnce = "devices-at-once"
)

// Tolerances. Between two runs of identical code, minutes apart on a shared virtual machine with
// two cores, the mean moves by ±10%, and the tails, which depend on a few operations, by more. A
// baseline is older than minutes. So a comparison with a baseline finds a mean that is a quarter
// worse, or a tail that is half worse, and nothing smaller; measuring both sides in turns finds
// smaller changes.
//
// Metrics that don't depend on the machine's speed have small tolerances. The number of allocations
// depends only on what pools keep (2%), allocated bytes also on how buffers grow (5%). Exact units
// have none, unless timing determines them too (5%).
const (
	toleranceTime        = 0.25
	toleranceTail        = 0.50
	toleranceMemory      = 0.20
	toleranceBytes       = 0.05
	toleranceAllocations = 0.02
	toleranceInexact     = 0.05
)

// Slacks. A terminal's progress bar, the runtime's own bookkeeping and a histogram that grows
// allocate some hundred objects in each repetition, which are divided by thousands of operations.
// One more object in each operation is four times the slack.
const (
	slackBytes       = 32
	slackAllocations = 0.25
)

// allocationGranularity is the size of the steps, in bytes, in which the runtime allocates.
const allocationGranularity = 8

// unitTable is in the order in which pages show the metrics.
var unitTable = [...]Unit{
	{ // its margin is wider than that of cpu-ns/op, since it also varies with the scheduler
		Name: UnitMean, Better: -1, Class: ClassTime, Quantity: Duration, Tolerance: toleranceTime,
		Sequential: Margin{Relative: 0.04},
		Doc:        "mean response time, from when the operation was planned to its end",
	},
	{
		Name: UnitP50, Better: -1, Class: ClassTime, Quantity: Duration, KeyFigure: 3, Tolerance: toleranceTime,
		Doc: "median response time",
	},
	{
		Name: UnitP75, Better: -1, Class: ClassTime, Quantity: Duration, ShownOnly: true, Tolerance: toleranceTime,
		Doc: "response time that 75% of the operations kept within",
	},
	{
		Name: UnitP90, Better: -1, Class: ClassTime, Quantity: Duration, Tolerance: toleranceTime,
		Doc: "response time that 90% of the operations kept within",
	},
	{
		Name: UnitP95, Better: -1, Class: ClassTime, Quantity: Duration, ShownOnly: true, Tolerance: toleranceTail,
		Doc: "response time that 95% of the operations kept within",
	},
	{
		Name: UnitP99, Better: -1, Class: ClassTime, Quantity: Duration, KeyFigure: 4,
		Tolerance: toleranceTail, Sequential: Margin{Relative: 0.10},
		Doc: "response time that 99% of the operations kept within",
	},
	{
		Name: UnitP999, Better: -1, Class: ClassTime, Quantity: Duration, Tolerance: toleranceTail,
		Doc: "response time that 99.9% of the operations kept within",
	},
	{
		Name: UnitMax, Better: -1, Class: ClassTime, Quantity: Duration, ShownOnly: true, Tolerance: toleranceTail,
		Doc: "longest response time",
	},
	{
		Name: UnitServiceP99, Better: -1, Class: ClassTime, Quantity: Duration, Tolerance: toleranceTail,
		Doc: "99th percentile from when the operation was sent, its wait for a worker left out",
	},
	{
		Name: UnitToUpdatedP50, Better: -1, Class: ClassTime, Scope: WholeService, Quantity: Duration, KeyFigure: 7,
		Tolerance: toleranceTime, Sequential: Margin{Relative: 0.05},
		Doc: "time from the trigger of a service until half of the devices that it updated ran the update",
	},
	{
		Name: UnitToUpdatedP90, Better: -1, Class: ClassTime, Scope: WholeService, Quantity: Duration,
		Tolerance: toleranceTime,
		Doc:       "time from the trigger of a service until 90% of the devices that it updated ran the update",
	},
	{
		Name: UnitToUpdatedP99, Better: -1, Class: ClassTime, Scope: WholeService, Quantity: Duration, KeyFigure: 8,
		Tolerance: toleranceTail, Sequential: Margin{Relative: 0.10},
		Doc: "time from the trigger of a service until 99% of the devices that it updated ran the update",
	},
	{
		Name: UnitToUpdatedMax, Better: -1, Class: ClassTime, Scope: WholeService, Quantity: Duration, ShownOnly: true,
		Tolerance: toleranceTail,
		Doc:       "time from the trigger of a service until the last of the devices that it updated ran the update",
	},
	{
		Name: UnitRolloutTime, Better: -1, Class: ClassTime, Scope: WholeService, Quantity: Duration, KeyFigure: 9,
		Tolerance: toleranceTime, Sequential: Margin{Relative: 0.05},
		Doc: "time from the trigger of a service until all devices ran the update, or else until its rollout was over",
	},
	{
		Name: UnitDevicesAtOnce, Better: +1, Class: ClassRate, Scope: WholeService, ShownOnly: true,
		Tolerance: toleranceTime,
		Doc:       "most devices at the same time that a service had contacted, and that didn't run the update yet",
	},
	{
		Name: UnitRate, Better: +1, Class: ClassRate, Scope: WholeLoad, Quantity: Rate, KeyFigure: 1,
		Tolerance: toleranceTime,
		Doc:       "operations a second that succeeded within the plan, over its length; without a plan, over the repetition",
	},
	{
		Name: UnitLimit, Better: +1, Class: ClassRate, Scope: WholeLoad, Quantity: Rate, KeyFigure: 2,
		Tolerance: toleranceTime,
		Doc:       "highest rate that held in a search for the limit",
	},
	{
		Name: UnitThroughput, Better: +1, Class: ClassRate, Scope: WholeLoad, Quantity: BytesPerSecond,
		Tolerance: toleranceTime,
		Doc:       "bytes of artifacts delivered a second, over the same time as ops/s, in units of 1,000,000",
	},
	{
		Name: UnitCPU, Better: -1, Class: ClassCPU, Scope: WholeLoad, Quantity: Duration,
		Tolerance: toleranceTime, Sequential: Margin{Relative: 0.025},
		Doc: "processor time of the driver, or of the client's processes, user and system, per operation",
	},
	{
		Name: UnitBytes, Better: -1, Class: ClassAllocation, Scope: WholeLoad, Quantity: Bytes,
		MayBeZero: true, Tolerance: toleranceBytes, Slack: slackBytes,
		Sequential: Margin{Relative: 0.01, Slack: allocationGranularity, Absolute: true},
		Doc:        "heap bytes allocated per operation",
	},
	{
		Name: UnitAllocations, Better: -1, Class: ClassAllocation, Scope: WholeLoad, Quantity: Objects,
		MayBeZero: true, Tolerance: toleranceAllocations, Slack: slackAllocations,
		Sequential: Margin{Slack: slackAllocations, Absolute: true},
		Doc:        "heap objects allocated per operation",
	},
	{
		Name: UnitRequests, Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Quantity: Ratio,
		InexactTolerance: toleranceInexact, Sequential: Margin{Relative: toleranceInexact, Absolute: true},
		Doc: "HTTP requests sent per device, retries among them",
	},
	{
		Name: UnitWire, Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Quantity: Bytes,
		InexactTolerance: toleranceInexact, Sequential: Margin{Relative: toleranceInexact, Absolute: true},
		Doc: "bytes that the client wrote to and read from its connections, per device",
	},
	{
		Name: UnitRetries, Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Quantity: Ratio,
		MayBeZero: true, InexactTolerance: toleranceInexact,
		Sequential: Margin{Relative: toleranceInexact, Absolute: true},
		Doc:        "requests per device beyond one push and one verification: further pushes, polls and confirmations",
	},
	{
		Name: UnitFailed, Better: -1, Exact: true, Class: ClassCount, Scope: WholeLoad, Quantity: Share,
		KeyFigure: 5, MayBeZero: true, InexactTolerance: toleranceInexact,
		Sequential: Margin{Relative: toleranceInexact, Absolute: true},
		Doc:        "share of the operations that failed",
	},
	{
		Name: UnitFailedFleet, Better: -1, Class: ClassCount, Scope: WholeRollout, Quantity: Share,
		KeyFigure: 6, MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet whose delivery failed in a rollout",
	},
	{
		Name: UnitUpdatedFleet, Better: +1, Class: ClassCount, Scope: WholeRollout, Quantity: Share,
		MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet that runs the update after a rollout",
	},
	{
		Name: UnitReachedFleet, Better: +1, Class: ClassCount, Scope: WholeRollout, Quantity: Share,
		MayBeZero: true, Tolerance: toleranceBytes,
		Doc: "share of the whole fleet that a rollout began to update",
	},
	{
		Name: UnitStopped, Better: -1, Exact: true, Class: ClassCount, Scope: WholeRollout, MayBeZero: true,
		InexactTolerance: toleranceInexact, Sequential: Margin{Relative: toleranceInexact, Absolute: true},
		Doc: "1 if a rollout stopped itself, 0 if it didn't",
	},
	{
		Name: UnitFailedP99, Better: -1, Class: ClassTime, Scope: WholeLoad, Quantity: Duration,
		OfFailed: true, Tolerance: toleranceTail,
		Doc: "response time that 99% of the failed operations kept within, if any failed",
	},
	{
		Name: UnitPeakMemory, Better: -1, Class: ClassMemory, Scope: WholeLoad, Quantity: Bytes,
		Tolerance: toleranceMemory, Sequential: Margin{Relative: 0.10},
		Doc: "largest resident memory of the driver, or of the client's processes together",
	},
	{
		Name: UnitUpdated, Better: +1, Exact: true, Class: ClassCount, Scope: DeviceCount, MayBeZero: true,
		Doc: "devices that run the update",
	},
	{
		Name: UnitFailures, Better: -1, Exact: true, Class: ClassCount, Scope: DeviceCount, MayBeZero: true,
		Doc: "devices none of whose operations succeeded",
	},
	{
		Name: UnitLost, Better: -1, Exact: true, Class: ClassCount, Scope: DeviceCount, MayBeZero: true,
		Doc: "devices that run the update by the client's word, and not by the ledger",
	},
	{
		Name: UnitAppliedTwice, Better: -1, Exact: true, Class: ClassCount, Scope: DeviceCount, MayBeZero: true,
		Doc: "devices that applied the update more than once",
	},
}

// Units returns every metric that a run may record, in the order in which pages show them. The
// slice is the caller's.
func Units() []Unit {
	return slices.DeleteFunc(slices.Clone(unitTable[:]), func(u Unit) bool { return u.Scope == DeviceCount })
}

// unitIndex returns the index in unitTable by name, and by the name that benchstat gives the
// metric.
var unitIndex = sync.OnceValue(func() map[string]int {
	index := map[string]int{}
	for i, u := range unitTable {
		_, tidied := benchunit.Tidy(1, u.Name)
		index[u.Name], index[tidied] = i, i
	}
	return index
})

// LookupUnit returns the metric with a name as in samples.txt ("ns/op"), or with benchstat's name
// for it in base units ("sec/op"). It reports false for any other name.
func LookupUnit(name string) (Unit, bool) {
	i, ok := unitIndex()[name]
	if !ok || unitTable[i].Scope == DeviceCount {
		return Unit{}, false
	}
	return unitTable[i], true
}

// DeviceCountUnit returns the unit with the name of a count of devices, such as [UnitLost].
func DeviceCountUnit(name string) Unit { return unitTable[unitIndex()[name]] }

// UnitOrder returns the place of a metric in the order of [Units]. An unknown metric comes last.
func UnitOrder(name string) int {
	if u, ok := LookupUnit(name); ok && u.Name == name {
		return unitIndex()[name]
	}
	return len(unitTable)
}

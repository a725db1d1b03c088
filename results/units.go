package results

import "golang.org/x/perf/benchunit"

// A Unit is one metric: its name, which way is better, and how far it may move
// before the move counts.
type Unit struct {
	Name string // as it stands in samples.txt, such as "p99-ns/op"

	// Better is -1 where less is better and +1 where more is.
	Better int

	// Exact marks a metric that the scenario's seed determines: two runs of the
	// same work have the same value, so a single sample decides and any worsening
	// of the median is a regression. samples.txt says so to benchstat with assume=exact.
	Exact bool

	// Class says where the metric may be judged; see [UnitClass].
	Class UnitClass

	// Tolerance is the smallest relative change that [Judge] takes for a change:
	// 0.25 means that 24% slower is still "pass". See [Units] for the reasons.
	Tolerance float64

	// Slack is the smallest absolute change that counts, in the unit itself: what a
	// run allocates once belongs to no operation, and a share of almost nothing is
	// not a share of anything.
	Slack float64

	Doc string // what is measured, in a few words
}

// UnitClass sorts metrics by what moves them, which decides where a value may be
// held against one from another machine.
type UnitClass int

// The classes. Counts and allocations are judged on any machine; all others only
// on the machine that the baseline came from.
const (
	ClassTime       UnitClass = iota + 1 // how long an operation took
	ClassRate                            // how many operations or bytes a second
	ClassCPU                             // processor time
	ClassAllocation                      // heap bytes and objects an operation
	ClassCount                           // what was sent and what became of it, a device
	ClassMemory                          // resident memory
)

// String names the class as the documentation does.
func (c UnitClass) String() string {
	switch c {
	case ClassTime:
		return "time"
	case ClassRate:
		return "rate"
	case ClassCPU:
		return "cpu"
	case ClassAllocation:
		return "allocation"
	case ClassCount:
		return "count"
	case ClassMemory:
		return "memory"
	}
	return "unknown"
}

// Portable reports whether a value of this class means the same on any machine.
func (c UnitClass) Portable() bool { return c == ClassAllocation || c == ClassCount }

// follows reports whether a value of this class moves with the machine's speed.
func (c UnitClass) follows() bool { return c == ClassTime || c == ClassRate || c == ClassCPU }

// Tolerances. One run of identical code against another, minutes apart on a
// shared two-core virtual machine, moves its mean by ±10%, and its tails, which
// rest on a few operations, by more. A baseline is older than minutes. So a run
// held against a baseline can honestly see a quarter more time, half more tail,
// and nothing finer: the sharp tool is to measure both sides interleaved.
//
// What doesn't depend on the machine's mood gets a narrow tolerance: allocation
// counts move only by what pools happen to keep (2%), allocated bytes also by
// how buffers happened to grow (5%), and exact units not at all.
const (
	toleranceTime        = 0.25
	toleranceTail        = 0.50
	toleranceMemory      = 0.20
	toleranceBytes       = 0.05
	toleranceAllocations = 0.02
	toleranceExact       = 0
	toleranceVaried      = 0.05 // of an exact unit where timing decides it too, as of requests while devices are awaited
)

// Slacks. A terminal's progress bar, the runtime's own bookkeeping and a histogram
// that grows allocate some hundred objects a repetition, which thousands of
// operations share. One object more an operation is four times the slack.
const (
	slackBytes       = 32
	slackAllocations = 0.25
)

// unitTable is in the order in which pages show the metrics.
var unitTable = [...]Unit{
	{"ns/op", -1, false, ClassTime, toleranceTime, 0, "mean response time, from when the operation was planned to its end"},
	{"p50-ns/op", -1, false, ClassTime, toleranceTime, 0, "median response time"},
	{"p90-ns/op", -1, false, ClassTime, toleranceTime, 0, "response time that 90% of the operations kept within"},
	{"p99-ns/op", -1, false, ClassTime, toleranceTail, 0, "response time that 99% of the operations kept within"},
	{"p99.9-ns/op", -1, false, ClassTime, toleranceTail, 0, "response time that 99.9% of the operations kept within"},
	{"service-p99-ns/op", -1, false, ClassTime, toleranceTail, 0, "99th percentile from when the operation was sent, its wait for a worker left out"},
	{"ops/s", +1, false, ClassRate, toleranceTime, 0, "operations a second over the repetition"},
	{"limit-ops/s", +1, false, ClassRate, toleranceTime, 0, "highest rate that still held, as a search found it"},
	{"MB/s", +1, false, ClassRate, toleranceTime, 0, "artifact bytes delivered a second, in units of 1,000,000"},
	{"cpu-ns/op", -1, false, ClassCPU, toleranceTime, 0, "processor time of the driver, user and system, an operation"},
	{"B/op", -1, false, ClassAllocation, toleranceBytes, slackBytes, "heap bytes allocated an operation"},
	{"allocs/op", -1, false, ClassAllocation, toleranceAllocations, slackAllocations, "heap objects allocated an operation"},
	{"requests/device", -1, true, ClassCount, toleranceExact, 0, "HTTP requests sent a device, retries among them"},
	{"wire-B/device", -1, true, ClassCount, toleranceExact, 0, "bytes written to the network a device"},
	{"retries/device", -1, true, ClassCount, toleranceExact, 0, "requests sent again a device"},
	{"failed/device", -1, true, ClassCount, toleranceExact, 0, "share of the devices whose operation failed"},
	{"failed/fleet", -1, false, ClassCount, toleranceBytes, 0, "share of the whole fleet whose delivery failed, of a rollout that may stop"},
	{"failed-p99-ns/op", -1, false, ClassTime, toleranceTail, 0, "response time that 99% of the failed operations kept within, where any failed"},
	{"peak-rss-B", -1, false, ClassMemory, toleranceMemory, 0, "largest resident memory of the driver"},
}

// Units returns every metric that a run may record, in the order in which pages
// show them. The slice is the caller's.
func Units() []Unit {
	return append([]Unit(nil), unitTable[:]...)
}

// LookupUnit finds a metric by its name in samples.txt ("ns/op") or by the name
// that benchstat gives it after it has turned it into base units ("sec/op").
func LookupUnit(name string) (Unit, bool) {
	for _, u := range unitTable {
		if u.Name == name {
			return u, true
		}
		if _, tidied := benchunit.Tidy(1, u.Name); tidied == name {
			return u, true
		}
	}
	return Unit{}, false
}

// unitOrder is a unit's place in the table; a unit that it lacks comes last.
func unitOrder(name string) int {
	for i, u := range unitTable {
		if u.Name == name {
			return i
		}
	}
	return len(unitTable)
}

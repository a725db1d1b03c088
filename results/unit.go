package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// A Unit is one metric: what it measures, which way is better, how far it may move before the move
// counts, and how its values are shown and its limits written. [Units] lists all that a run may
// record.
type Unit struct {
	Name string // as in samples.txt, such as "p99-ns/op"
	Doc  string // what is measured, in a few words

	// Better is -1 if less is better and +1 if more is.
	Better int

	// Exact marks a metric that the scenario's seed determines: two runs of the same work have the
	// same value. So a single sample decides, and any worsening of the median is a regression.
	// samples.txt tells benchstat so with assume=exact.
	Exact bool

	Class    UnitClass // what moves the metric, and so where it may be judged
	Scope    Scope     // what the metric describes
	Quantity Quantity  // how a value is shown, and a limit written

	// KeyFigure is the metric's place among the few that a reader looks at first. It is 0 for all
	// others.
	KeyFigure int

	// OfFailed marks a metric over the operations that failed. All others are over those that
	// succeeded.
	OfFailed bool

	// MayBeZero reports whether zero can be a measurement, such as that nothing was allocated,
	// repeated or lost. For other metrics, such as times, a zero means that they weren't measured,
	// and it must not pass for the best possible value.
	MayBeZero bool

	// ShownOnly marks a metric that never has a verdict: p75 and p95 tell nothing that p50, p90 and
	// p99 don't, and the longest response time is that of one operation.
	ShownOnly bool

	// Tolerance is the smallest relative change that counts between a run and a baseline: at 0.25,
	// a run that is 24% slower still passes.
	Tolerance float64

	// InexactTolerance replaces Tolerance for an exact metric whose samples differ. Timing then
	// determines it too; for example, the number of requests depends on how long a device takes.
	InexactTolerance float64

	// Slack is the smallest absolute change that counts, in the unit itself. It covers what a run
	// allocates once, whatever the number of operations, and values near zero, of which a small
	// change is a large share.
	Slack float64

	// Sequential is the smallest change that counts between two sides that are measured in turns.
	// It is the zero Margin if the metric isn't tested then.
	Sequential Margin
}

// Judged reports whether the metric may have a verdict.
func (u Unit) Judged() bool { return !u.ShownOnly }

// A UnitClass is what moves a metric. It decides whether a value may be compared with one from
// another machine.
type UnitClass int

// The classes. Counts and allocations are judged on any machine, all others only on the machine
// that the baseline comes from.
const (
	ClassTime       UnitClass = iota + 1 // how long an operation took
	ClassRate                            // operations or bytes per second
	ClassCPU                             // processor time
	ClassAllocation                      // heap bytes and objects per operation
	ClassCount                           // what was sent per device, and its outcome
	ClassMemory                          // resident memory
)

// String returns the name of the class that the documentation uses.
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

// FollowsSpeed reports whether a value of this class moves with the machine's speed.
func (c UnitClass) FollowsSpeed() bool { return c == ClassTime || c == ClassRate || c == ClassCPU }

// A Scope is what a metric describes, which determines the record that holds it.
type Scope int

// The scopes.
const (
	PerOperation Scope = iota // one operation: each operation's record has its own value
	WholeLoad                 // the whole load: only the record of the operation that the load performs has it
	WholeRollout              // a whole rollout: as WholeLoad
	WholeService              // a whole rollout of a service: as WholeLoad
	DeviceCount               // the devices: the run's [Counts] has it, and no record
)

// A Margin is the smallest change that counts between two sides that are measured in turns. It is
// much smaller than Tolerance, which allows for a baseline from last week.
type Margin struct {
	Relative float64
	Slack    float64 // in the unit itself
	Absolute bool    // differences are of the values, not of their logarithms
}

// IsZero reports whether m is the zero Margin, with which a metric isn't tested.
func (m Margin) IsZero() bool { return m == Margin{} }

// percentile returns the share of operations that take no longer than the value of a metric: 0.999
// for "p99.9-ns/op". It reports false for a metric that isn't a percentile.
func percentile(unit string) (q float64, ok bool) {
	rest, ok := strings.CutSuffix(unit, "-ns/op")
	if !ok {
		return 0, false
	}
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest = rest[i+1:]
	}
	text, ok := strings.CutPrefix(rest, "p")
	if !ok {
		return 0, false
	}
	percent, err := strconv.ParseFloat(text, 64)
	return percent / 100, err == nil && percent > 0 && percent < 100
}

// WantedOperations returns how many operations a percentile q needs to be meaningful: 10/(1−q), so
// that ten of them lie beyond it. It returns 0 for a metric that isn't a percentile.
func WantedOperations(unit string) int64 {
	q, ok := percentile(unit)
	if !ok {
		return 0
	}
	return int64(math.Round(10 / (1 - q)))
}

// Operations returns how many operations a record's value of a metric summarizes.
func (r Record) Operations(unit string) int64 {
	if u, _ := LookupUnit(unit); u.OfFailed {
		return r.Failed
	}
	return r.Ops
}

// few returns why a percentile of too few operations can't be judged: "8 operations: a p99.9 wants
// 10,000". It returns "" if there are enough, or if the metric isn't a percentile. If least isn't
// 0, it is the number that is enough.
func few(unit string, operations, least int64) string {
	wanted := WantedOperations(unit)
	if wanted == 0 || operations >= wanted || least > 0 && operations >= least {
		return ""
	}
	if least > 0 {
		wanted = least
	}
	q, _ := percentile(unit)
	return fmt.Sprintf("%s: a p%.4g wants %s",
		plaintext.Count(int(operations), "operation"), 100*q, plaintext.Thousands(wanted))
}

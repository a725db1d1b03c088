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
	// same value, so a single sample decides and any worsening of the median is a regression.
	// samples.txt says so to benchstat with assume=exact.
	Exact bool

	Class    UnitClass // what moves the metric, and so where it may be judged
	Scope    Scope     // what the metric describes
	Quantity Quantity  // how a value is shown, and a limit written

	// KeyFigure is the metric's place among the few that a reader looks at first. It is 0 for all
	// others.
	KeyFigure int

	// OfFailed marks a metric of the operations that failed. All others are of those that
	// succeeded.
	OfFailed bool

	// MayBeZero reports whether zero can be a measurement: that nothing was allocated, repeated or
	// lost. No operation takes no time, and none is sent without a byte; such a zero means that the
	// meter didn't run, and would pass for the best value there is.
	MayBeZero bool

	// ShownOnly marks a metric that never has a verdict: p75 and p95 say what p50, p90 and p99 say,
	// and the longest response time is that of one operation.
	ShownOnly bool

	// Tolerance is the smallest relative change that counts between a run and a baseline: 0.25
	// means that 24% slower still passes.
	Tolerance float64

	// InexactTolerance takes the place of Tolerance for an exact metric whose samples differ:
	// timing then determines it as well, as it does the requests while a device is awaited.
	InexactTolerance float64

	// Slack is the smallest absolute change that counts, in the unit itself: what a run allocates
	// once belongs to no operation, and a share of almost nothing is not a share of anything.
	Slack float64

	// Sequential is the smallest change that counts between two sides that take turns. It is the
	// zero Margin for a metric that isn't tested then.
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
	ClassRate                            // how many operations or bytes a second
	ClassCPU                             // processor time
	ClassAllocation                      // heap bytes and objects an operation
	ClassCount                           // what was sent and what became of it, a device
	ClassMemory                          // resident memory
)

// String returns the name of the class, as the documentation has it.
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

// A Scope is what a metric describes, and so where it stands.
type Scope int

// The scopes.
const (
	PerOperation Scope = iota // an operation: the record of each has its own
	WholeLoad                 // the load: the record of the operation that it asks for has it
	WholeRollout              // a rollout, likewise
	DeviceCount               // the devices: the run's [Counts] have it, and no record does
)

// A Margin is the smallest change that counts between two sides that take turns. It is much less
// than if one of them is a page from last week.
type Margin struct {
	Relative float64
	Slack    float64 // in the unit itself
	Absolute bool    // differences are of the values, not of their logarithms
}

// IsZero reports whether m is no margin: the metric isn't tested.
func (m Margin) IsZero() bool { return m == Margin{} }

// percentile returns the share of operations that take no longer than the value of a metric: 0.999
// for "p99.9-ns/op". It reports false for a metric that is no percentile.
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

// WantedOperations returns how many operations a percentile needs to say something: 10/(1−q), so
// that ten of them lie beyond it. It returns 0 for a metric that is no percentile.
func WantedOperations(unit string) int64 {
	q, ok := percentile(unit)
	if !ok {
		return 0
	}
	return int64(math.Round(10 / (1 - q)))
}

// Operations returns how many operations a record's value of a metric rests on.
func (r Record) Operations(unit string) int64 {
	if u, _ := LookupUnit(unit); u.OfFailed {
		return r.Failed
	}
	return r.Ops
}

// few returns why a percentile of so few operations can't be judged: "8 operations: a p99.9 wants
// 10,000". It returns "" if they are enough, or if the metric is no percentile. If least isn't 0,
// that many are enough.
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

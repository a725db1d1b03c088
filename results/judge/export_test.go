package judge

import (
	"github.com/fleetmark/fleetmark/results"

	"github.com/fleetmark/fleetmark/results/baseline"
)

// Conditions is conditions, for tests.
type Conditions = conditions

// Compare is compare, for tests.
func Compare(base *baseline.Scenario, now []results.Record, c Conditions) *Judgement {
	j := compare(base, now, c)
	j.Verdict = j.Compared
	return j
}

// Correct is correct, for tests.
func Correct(rows []Row) { correct(rows) }

// NewBound returns how much worse now is, and how much worse it may be.
func NewBound(old, now []float64, unit results.Unit) (shift, worst float64) {
	b := newBound(old, now, unit)
	return b.shift, b.worst
}

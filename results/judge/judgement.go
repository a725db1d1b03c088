package judge

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// A Judgement is the result of comparing a run with its baseline.
type Judgement struct {
	// Verdict is the verdict over all. It includes the run's thresholds, and decides the exit code.
	// It is empty if nothing was judged and the policy allows that.
	Verdict results.Verdict

	// Compared is the verdict of the comparison alone: the worst of the rows' verdicts, in the
	// order invalid, regressed, inconclusive, improved, pass. It is empty if nothing was judged.
	Compared results.Verdict

	// Reasons explain Verdict, the most important first. Those about thresholds come before those
	// that explain Compared.
	Reasons []Reason

	Rows       []Row
	Thresholds []results.ThresholdOutcome // of the run; nil if it has none

	HasBaseline bool    // whether the run was compared with anything
	Alpha       float64 // family-wise error rate of the rows that were tested
}

// ComparisonReasons returns the reasons that explain Compared.
func (j *Judgement) ComparisonReasons() []Reason {
	for i, r := range j.Reasons {
		if r.Code != ThresholdsFailed && r.Code != ThresholdsUndecided {
			return j.Reasons[i:]
		}
	}
	return nil
}

// Explains reports whether a reason with the given code is among j's.
func (j *Judgement) Explains(code Code) bool {
	return slices.ContainsFunc(j.Reasons, func(r Reason) bool { return r.Code == code })
}

// rowless returns a judgement without rows.
func rowless(v results.Verdict, why Reason) *Judgement {
	return &Judgement{Verdict: v, Compared: v, Reasons: []Reason{why}}
}

// A Row is one metric of one operation.
type Row struct {
	Scenario string
	Op       string
	Unit     results.Unit // of an unknown metric, only the Name is set

	Base *results.Summary // nil if the baseline lacks the metric
	Now  *results.Summary // nil if the run lacks it

	// Delta is the relative change of the median: 0.1 means a tenth more. It is nil if there is no
	// baseline, or if the baseline is zero and the run isn't.
	Delta *float64

	// P is the p-value of the test, and AdjustedP the same after Holm's correction over all rows
	// that were tested. Both are nil if the row wasn't tested: exact metrics, and rows that aren't
	// judged.
	P         *float64
	AdjustedP *float64

	// Ratio compares the run with its base by pairs of neighboring measurements. It is nil unless
	// the two took turns; if it is set, Delta, P and AdjustedP are those of the pairs.
	Ratio *sequential.Ratio

	// Few is how many operations a percentile in Now rests on, if they are too few. Otherwise it is
	// 0.
	Few int64

	Verdict results.Verdict // empty if the row isn't judged
	Reason  Reason          // explains the verdict, or why there is none; its Code is empty if nothing needs explaining

	Open bool // the measurements ended before they decided the row
}

// Key returns the row's name.
func (r *Row) Key() RowKey { return RowKey{r.Scenario, r.Op, r.Unit.Name} }

// A RowKey names a row of a judgement.
type RowKey struct {
	Scenario string `json:"scenario"`
	Op       string `json:"op"`
	Unit     string `json:"unit"`
}

// A Policy says what is asked of a run. The zero Policy asks for nothing: a run that can't be
// judged has no verdict.
type Policy struct {
	Unjudged Unjudged // what the lack of a verdict means

	// Portable asks only for metrics that mean the same on any machine: counts, bytes and
	// allocations.
	Portable bool

	// Outcomes also judges how many devices were updated, failed, were lost, or applied an update
	// twice.
	Outcomes bool

	// Better gives the direction of metrics that [results.LookupUnit] doesn't know, by name: +1 if
	// more is better, -1 if less is.
	Better map[string]int

	Tolerances results.Tolerances // of metrics, instead of their own
}

// Unjudged says what it means that a run, or one of its metrics, can't be judged.
type Unjudged int

// The values of Unjudged.
const (
	AllowUnjudged      Unjudged = iota // no verdict is fine
	RequireVerdict                     // a run without a verdict is inconclusive
	RequireEveryMetric                 // so is each metric of the baseline without one
)

package sequential

import (
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Result is what an analysis found.
type Result struct {
	// Metrics holds the metrics of one operation after another, in the order in which operations
	// were first added. An operation's metrics are in the order of [results.Units].
	Metrics []Metric

	Alpha      float64 // the family-wise error rate
	Unmeasured bool    // neither side measured any metric
}

// A Metric is one metric of one operation.
type Metric struct {
	Scenario, Op string
	Unit         Unit

	Base, Now *results.Summary // of all blocks of a side; nil if it lacks the metric

	// Delta is the relative change: 0.1 is a tenth more. If the metric was tested, it is estimated
	// from pairs, otherwise from the medians. It is nil if a side lacks the metric or the base is
	// zero.
	Delta *float64

	P, AdjustedP *float64 // before and after Holm's correction; nil if the metric wasn't tested
	Ratio        *Ratio   // nil if the metric wasn't tested, or there are too few pairs for an interval

	Outcome

	// Layouts counts the further layouts of the code that the figures come from, and FirstDelta is
	// Delta in the first layout; see [Result.AcrossLayouts]. They are 0 and nil if the first layout
	// decided.
	Layouts    int
	FirstDelta *float64
}

// Key returns the metric's name.
func (m *Metric) Key() Key { return Key{m.Scenario, m.Op, m.Unit.Name} }

// A Key names a metric of an operation.
type Key struct{ Scenario, Op, Unit string }

// A Ratio is now divided by base, estimated from pairs of neighboring blocks. 1 is no change.
type Ratio struct {
	Pairs    int     `json:"pairs"`
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"` // of the interval at Level
	High     float64 `json:"high"`
	Level    float64 `json:"level"` // such as 0.99
}

// An Outcome is a decision with its explanation.
type Outcome struct {
	Decision    Decision
	Cause       Cause
	PassedAfter int // pairs, for Cause Passed; otherwise 0

	// Given is the explanation that the caller of [Test.Decide] or [Test.Abandon] gave for its
	// decision. This package doesn't look at it.
	Given any
}

// A Decision says which way a metric moved.
type Decision int

// The decisions.
const (
	Open      Decision = iota // further pairs may decide it
	Unchanged                 // it can't be worse by twice its tolerance
	Better                    // by more than its tolerance
	Worse                     // by more than its tolerance
	Unclear                   // no further pair can decide it
)

// A Cause says why a decision is what it is.
type Cause int

// The causes. An ordinary test has none.
const (
	Plain            Cause = iota
	Undecided              // the pairs ended before they decided it
	NotInBase              // the base lacks the metric
	Missing                // now lacks the metric
	IncompleteBlocks       // some blocks of a side lack it
	SomeWorse              // some values of an exact metric are worse than all of the base's, but not the median
	SamplesDiffer          // now's samples of an exact metric differ: the median decided
	TimingDetermines       // the base's samples of an exact metric differ: it was tested
	Unsteady               // the samples of a steady metric differ: it was tested
	Undirected             // it changed, and nothing says which way is better
	Passed                 // an earlier analysis, after PassedAfter pairs, showed that it is no worse
	Invalidated            // the figures can't be believed
	Reported               // the caller decided it, and Given explains it

	DecidedAcrossLayouts // Layouts layouts decided it
	LayoutAlone          // Layouts layouts decided it: only the layout of the code made the first one worse
	OpenAcrossLayouts    // Layouts layouts didn't decide it
	NotInLayouts         // it wasn't measured in other layouts
)

// Invalidate returns r without its decisions, for pairs that can't all be believed. It leaves out
// metrics that were never measured.
func (r Result) Invalidate() Result {
	invalid := Result{Alpha: r.Alpha}
	for _, m := range r.Metrics {
		if m.Base == nil && m.Now == nil { // the caller decided it
			continue
		}
		m.AdjustedP, m.Outcome = nil, Outcome{Cause: Invalidated}
		invalid.Metrics = append(invalid.Metrics, m)
	}
	return invalid
}

// correct sets AdjustedP of each metric that was tested.
func correct(metrics []Metric, weight func(Key) float64) {
	var tested []*Metric
	var p, weights []float64
	for i := range metrics {
		if m := &metrics[i]; m.P != nil {
			tested, p = append(tested, m), append(p, *m.P)
			if weight != nil {
				weights = append(weights, weight(m.Key()))
			}
		}
	}
	for i, corrected := range stats.Holm(p, weights) {
		tested[i].AdjustedP = &corrected
	}
}

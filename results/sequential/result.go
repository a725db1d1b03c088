package sequential

import (
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Result is what an analysis found.
type Result struct {
	Metrics []Metric // scenarios and operations in the order they came, metrics in that of [results.Units]
	Alpha   float64  // the family-wise error rate

	// Unmeasured reports that there is no metric at all, for neither side measured anything.
	Unmeasured bool
}

// A Metric is one metric of one operation.
type Metric struct {
	Scenario, Op string
	Unit         Unit

	Base, Now *results.Summary // of all blocks of a side; nil if it lacks the metric

	// Delta is the relative change: 0.1 is a tenth more. It is that of the pairs if the metric was tested,
	// and else that of the medians. It is nil if there is none, as from zero.
	Delta *float64

	P, AdjustedP *float64 // before and after Holm's correction; nil if the metric wasn't tested
	Ratio        *Ratio   // nil if the metric wasn't tested, or there are too few pairs for an interval

	Outcome

	// Layouts is how many further layouts of the code the figures are of, if those of the first didn't
	// decide: see [Result.AcrossLayouts]. FirstDelta is Delta in the first. They are 0 and nil otherwise.
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

// An Outcome is a decision and what explains it.
type Outcome struct {
	Decision    Decision
	Cause       Cause
	PassedAfter int // pairs, for Cause Passed; otherwise 0

	// Given is what the caller of [Test.Decide] or [Test.Abandon] handed in to explain its decision. This
	// package doesn't look at it.
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
	Unclear                   // no further pair decides it
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
	SomeWorse              // some values of an exact metric are worse than all of the base's, though the median isn't
	SamplesDiffer          // now's samples of an exact metric differ from each other: the median decided
	TimingDetermines       // the base's samples of an exact metric differ from each other: it was tested
	Unsteady               // the samples of a steady metric differ from each other: it was tested
	Undirected             // it changed, and nothing says which way is better
	Passed                 // an earlier analysis, after PassedAfter pairs, showed that it is no worse
	Invalidated            // the figures can't be believed
	Reported               // the caller decided it: see Given

	DecidedAcrossLayouts // Layouts layouts decided it
	LayoutAlone          // Layouts layouts decided it: only the layout of the code made the first one worse
	OpenAcrossLayouts    // Layouts layouts didn't decide it
	NotInLayouts         // it wasn't measured in other layouts
)

// Invalidate returns r for pairs of which some can't be believed: its figures, without a decision.
func (r Result) Invalidate() Result {
	invalid := Result{Alpha: r.Alpha}
	for _, m := range r.Metrics {
		if m.Base == nil && m.Now == nil { // only reported
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

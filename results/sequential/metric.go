package sequential

import (
	"math"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A metric holds what was measured of one metric of one operation.
type metric struct {
	scenario, op string
	unit         Unit
	base, now    []float64 // a value for each block
	differences  []float64 // one for each pair: of logarithms, or of values if the margin is absolute
	estimate     float64   // estimate of the shift, at the last analysis
	incomplete   bool      // some blocks lack the metric
	passedAt     int       // the number of pairs at the last analysis that decided Unchanged; 0 if none did

	resting bool    // its operation is decided
	final   Outcome // of a resting metric
}

// operation returns the key of the metric's operation.
func (m *metric) operation() Key { return Key{Scenario: m.scenario, Op: m.op} }

// tested reports whether the metric is tested rather than compared exactly.
func (m *metric) tested() bool {
	return !m.unit.Exact || stats.Differ(m.base) || m.unit.Steady && stats.Differ(m.now)
}

// values returns the metric's values in blocks.
func (m *metric) values(blocks [][]results.Record) (values []float64) {
	for _, b := range blocks {
		for _, r := range b {
			if v, ok := r.Value(m.unit.Name); ok && r.Scenario == m.scenario && r.Op == m.op {
				values = append(values, v)
			}
		}
	}
	return values
}

// add adds a pair.
func (m *metric) add(base, now [][]results.Record) {
	if m.resting {
		return
	}
	baseValues, nowValues := m.values(base), m.values(now)
	m.base, m.now = append(m.base, baseValues...), append(m.now, nowValues...)
	if len(baseValues) < len(base) || len(nowValues) < len(now) {
		m.incomplete = true
		return
	}
	// Kept for an exact metric too, since its later values may differ.
	m.differences = append(m.differences, m.mean(nowValues)-m.mean(baseValues))
}

// mean returns the mean of a side's values, on the scale of differences.
func (m *metric) mean(values []float64) float64 {
	if m.unit.Margin.Absolute {
		return stats.Mean(values)
	}
	logarithms := make([]float64, len(values))
	for i, v := range values {
		logarithms[i] = math.Log(max(v, math.SmallestNonzeroFloat64))
	}
	return stats.Mean(logarithms)
}

// figures returns the metric's figures, and the upper bound of how much worse now is, on the scale
// of differences.
func (m *metric) figures(found stats.Location, level float64) (f Metric, worst float64) {
	f = Metric{
		Scenario: m.scenario, Op: m.op, Unit: m.unit,
		Base: results.Summarize(m.base, m.unit.Exact), Now: results.Summarize(m.now, m.unit.Exact),
	}
	if f.Base != nil && f.Now != nil {
		f.Delta = results.RelativeChange(f.Base.Median, f.Now.Median)
	}
	if !m.tested() || len(m.differences) == 0 {
		return f, 0
	}
	f.P = &found.P
	m.estimate = found.Estimate
	worst = math.Inf(1)
	if found.Bounded {
		switch {
		case m.unit.Better < 0:
			worst = found.High
		case m.unit.Better > 0:
			worst = -found.Low
		default: // a change in either direction may be worse
			worst = max(found.High, -found.Low)
		}
	}
	if m.unit.Exact {
		worst = max(worst, m.meanUpperBound(level))
	}
	ratio := math.Exp
	if m.unit.Margin.Absolute {
		base := f.Base.Median
		ratio = func(d float64) float64 { return 1 + d/base }
		if base <= 0 {
			return f, worst // no relative change from zero
		}
	}
	change := ratio(found.Estimate) - 1
	f.Delta = &change
	if found.Bounded {
		f.Ratio = &Ratio{
			Pairs: len(m.differences), Estimate: ratio(found.Estimate), Low: ratio(found.Low), High: ratio(found.High),
			Level: level,
		}
	}
	return f, worst
}

// meanUpperBound returns an upper bound of how much worse the mean of now is. It is for counts that
// seldom differ, whose shift and interval are 0 whatever the mean. It assumes a normal
// distribution, which suits the number of pairs.
func (m *metric) meanUpperBound(level float64) float64 {
	mean := stats.Mean(m.differences) * float64(-m.unit.Better)
	return mean + math.Sqrt2*math.Erfinv(level)*stats.StandardError(m.differences)
}

// decide returns the metric's decision, which is Open if further pairs are wanted. worst is the
// bound that figures returned.
func (m *metric) decide(f *Metric, alpha, worst float64) Outcome {
	switch {
	case m.resting:
		return m.final
	case f.Base == nil:
		return Outcome{Decision: Unclear, Cause: NotInBase}
	case f.Now == nil:
		return Outcome{Decision: Worse, Cause: Missing}
	case m.incomplete:
		return Outcome{Decision: Unclear, Cause: IncompleteBlocks}
	case !m.tested():
		return m.compare(f)
	}
	cause := Plain
	switch {
	case m.unit.Exact && m.unit.Steady:
		cause = Unsteady
	case m.unit.Exact:
		cause = TimingDetermines
	}
	margin, worsening := m.unit.Margin, float64(-m.unit.Better)
	worse, allowed := m.estimate*worsening, math.Log1p(margin.Relative)
	if margin.Absolute {
		allowed = margin.Slack + margin.Relative*math.Abs(f.Base.Median)
	}
	if m.unit.Exact { // compare the means too, since the median and the shift of a rare event are 0
		worse = stats.Mean(m.differences) * worsening
		allowed = margin.Slack + margin.Relative*math.Abs(stats.Mean(m.base))
	}
	switch significant := *f.AdjustedP < alpha; {
	case significant && m.unit.Better == 0 && math.Abs(m.estimate) > allowed:
		return Outcome{Decision: Unclear, Cause: Undirected}
	case significant && worse > allowed:
		return Outcome{Decision: Worse, Cause: cause}
	case significant && worse < -allowed:
		return Outcome{Decision: Better, Cause: cause}
	case worst < 2*allowed, worst <= 0:
		m.passedAt = len(m.differences)
		return Outcome{Decision: Unchanged, Cause: cause}
	case m.passedAt > 0: // that analysis spent its share of Misses on the decision
		return Outcome{Decision: Unchanged, Cause: Passed, PassedAfter: m.passedAt}
	}
	return Outcome{Cause: cause}
}

// compare decides an exact metric by its medians.
func (m *metric) compare(f *Metric) Outcome {
	worse, someWorse := m.unit.CompareExact(f.Base, f.Now)
	o := Outcome{Decision: Unchanged}
	switch {
	case someWorse:
		return Outcome{Decision: Unclear, Cause: SomeWorse}
	case worse > 0:
		o.Decision = Worse
	case worse < 0:
		o.Decision = Better
	}
	if f.Now.Differs() {
		o.Cause = SamplesDiffer
	}
	return o
}

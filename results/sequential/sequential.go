package sequential

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// How sure a decision is.
const (
	// FalseAlarms bounds the chance that any metric at all is called better or worse if nothing changed.
	FalseAlarms = 0.01

	// Misses bounds the chance that a metric is called unchanged that got worse by twice its tolerance.
	Misses = 0.02
)

// A Test is a group-sequential test of two sides that take turns. Pairs are added until an analysis
// decides, or no further pair can be had.
type Test struct {
	options  Options
	analyses int
	pairs    int
	metrics  []*metric
	byKey    map[Key]*metric // the same; nil for a metric that isn't tested
	reported []Metric        // decided by the caller
}

// Options say what is tested.
type Options struct {
	// Units returns how the metric of a name is tested, and whether it is. Nil tests the metrics of
	// [results.Units] that have a Sequential margin.
	Units func(name string) (Unit, bool)

	// Rest lets an operation rest once each of its metrics is decided: later pairs may leave it out, and
	// its decisions stay. Then a metric that got worse ends nothing, for other operations are still open.
	Rest bool

	// Means says that each pair stands for many blocks of each side, such as all those of one layout of
	// the code, so that a few pairs decide: their mean is tested with Student's t-test.
	Means bool

	// Weight returns how much of the chance of a false alarm a metric may spend, as a positive number that
	// is compared with those of the other metrics. Nil gives all of them the same.
	Weight func(Key) float64
}

// A Unit says how a metric is tested.
type Unit struct {
	// Unit names the metric. If Better is 0, nothing says which way is better: a change leaves the metric
	// unclear, with the cause Undirected. An Exact metric is compared exactly as long as the base's samples
	// are all the same, and tested once they differ.
	results.Unit

	// Steady has an Exact metric tested, too, if now's samples differ from each other.
	Steady bool

	// Margin is the smallest change that counts if the metric is tested.
	Margin results.Margin

	// Undirected is what is wrong with a line that was to say which way is better, or empty. This package doesn't
	// look at it.
	Undirected string
}

// scenarioUnit returns how a metric of a scenario is tested. Those that it lacks say the same in other
// words (ops/s, MB/s), or rest on too few operations of a block to tell anything (p99.9-ns/op); a median
// jumps if times have two humps.
func scenarioUnit(name string) (Unit, bool) {
	unit, _ := results.LookupUnit(name)
	return Unit{Unit: unit, Margin: unit.Sequential}, !unit.Sequential.IsZero()
}

// New returns a test without pairs.
func New(o Options) *Test {
	if o.Units == nil {
		o.Units = scenarioUnit
	}
	return &Test{options: o, byKey: map[Key]*metric{}}
}

// Pairs returns how many pairs were added.
func (t *Test) Pairs() int { return t.pairs }

// AnalysisDue reports whether there are pairs enough for the next analysis.
func (t *Test) AnalysisDue() bool { return t.pairs >= t.options.schedule().pairsAt(t.analyses) }

// CanAddPair reports whether another pair can be added.
func (t *Test) CanAddPair() bool { return t.pairs < t.options.schedule().most }

// Add adds a pair: the records of each of the base's blocks, and of each of the other side's. It returns
// an error if a side has no block, or a record isn't valid.
func (t *Test) Add(base, now [][]results.Record) error {
	for side, blocks := range map[string][][]results.Record{"base": base, "now": now} {
		if len(blocks) == 0 {
			return fmt.Errorf("sequential: a pair without a block of %s", side)
		}
		for _, b := range blocks {
			for _, r := range b {
				if err := r.Validate(); err != nil {
					return fmt.Errorf("sequential: %s: %w", side, err)
				}
			}
		}
	}
	t.pairs++
	for _, b := range slices.Concat(base, now) {
		for _, r := range b {
			for _, v := range r.Values {
				t.addMetric(r, v.Unit)
			}
		}
	}
	for _, m := range t.metrics {
		m.add(base, now)
	}
	return nil
}

// addMetric adds a metric that no earlier record has.
func (t *Test) addMetric(r results.Record, name string) {
	key := Key{r.Scenario, r.Op, name}
	if _, met := t.byKey[key]; met {
		return
	}
	unit, tested := t.options.Units(name)
	if !tested {
		t.byKey[key] = nil
		return
	}
	t.byKey[key] = &metric{scenario: r.Scenario, op: r.Op, unit: unit, incomplete: t.pairs > 1}
	t.metrics = append(t.metrics, t.byKey[key])
}

// Decide adds a metric that no pair decides, such as one of an operation that can't be measured. It is
// among the metrics of every later analysis. given explains the decision.
func (t *Test) Decide(key Key, d Decision, given any) {
	unit, _ := results.LookupUnit(key.Unit)
	unit.Name = key.Unit
	t.reported = append(t.reported, Metric{
		Scenario: key.Scenario, Op: key.Op, Unit: Unit{Unit: unit},
		Outcome: Outcome{Decision: d, Cause: Reported, Given: given},
	})
}

// Abandon decides each metric of the operation of key, which can't be measured any more. If it was never
// measured, key is a metric of its own, as for [Test.Decide].
func (t *Test) Abandon(key Key, d Decision, given any) {
	measured := false
	for _, m := range t.metrics {
		if m.scenario == key.Scenario && m.op == key.Op {
			m.resting, m.final, measured = true, Outcome{Decision: d, Cause: Reported, Given: given}, true
		}
	}
	if !measured {
		t.Decide(key, d, given)
	}
}

// Resting reports whether an operation is decided, so that later pairs may leave it out.
func (t *Test) Resting(scenario, op string) bool {
	return slices.ContainsFunc(t.metrics, func(m *metric) bool {
		return m.scenario == scenario && m.op == op && m.resting
	})
}

// Analyze analyzes the pairs that there are. It is called when an analysis is due, and with last once at
// the end; metrics that are open then are unclear. decided reports whether further pairs would change
// nothing, as far as is asked.
func (t *Test) Analyze(last bool) (r Result, decided bool) {
	share := t.options.schedule().share(t.analyses)
	t.analyses++
	level := 1 - 2*Misses*share
	t.sort()
	bounds := make([]float64, len(t.metrics)) // how much worse each may be
	criticalRanks := map[int]int{}            // by number of pairs
	for i, m := range t.metrics {
		var found stats.Location
		if n := len(m.differences); t.options.Means {
			found = stats.StudentT(m.differences, level)
		} else {
			if _, known := criticalRanks[n]; !known {
				criticalRanks[n] = stats.SignedRankQuantile(n, (1-level)/2)
			}
			found = stats.SignedRanks(m.differences, criticalRanks[n])
		}
		var figures Metric
		figures, bounds[i] = m.figures(found, level)
		r.Metrics = append(r.Metrics, figures)
	}
	correct(r.Metrics, t.options.Weight)
	decided = len(r.Metrics) > 0
	worse := false
	for i := range r.Metrics {
		m := &r.Metrics[i]
		m.Outcome = t.metrics[i].decide(m, FalseAlarms*share, bounds[i])
		if m.Decision == Open {
			decided = false
			if last {
				m.Outcome = Outcome{Decision: Unclear, Cause: Undecided}
			}
		}
		worse = worse || m.Decision == Worse
	}
	if t.options.Rest {
		t.rest(r.Metrics)
	} else if worse {
		decided = true
	}
	r.Metrics = append(r.Metrics, t.reported...)
	r.Alpha, r.Unmeasured = FalseAlarms, len(r.Metrics) == 0
	return r, decided
}

// rest lets the operations rest whose metrics, those of t.metrics, are all decided.
func (t *Test) rest(metrics []Metric) {
	open := map[Key]bool{}
	for _, m := range metrics {
		if m.Decision == Open {
			open[Key{Scenario: m.Scenario, Op: m.Op}] = true
		}
	}
	for i, m := range t.metrics {
		if !open[Key{Scenario: m.scenario, Op: m.op}] {
			m.resting, m.final = true, metrics[i].Outcome
		}
	}
}

// sort sorts the metrics: scenarios and operations as they came, metrics as in [results.Units].
func (t *Test) sort() {
	came := map[Key]int{}
	for _, m := range t.metrics {
		if k := m.operation(); came[k] == 0 {
			came[k] = len(came) + 1
		}
	}
	slices.SortStableFunc(t.metrics, func(a, b *metric) int {
		return cmp.Or(
			cmp.Compare(came[a.operation()], came[b.operation()]),
			cmp.Compare(results.UnitOrder(a.unit.Name), results.UnitOrder(b.unit.Name)),
		)
	})
}

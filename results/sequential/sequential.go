// Package sequential decides whether one of two builds is slower than the other while both are
// being measured, and stops as soon as it can tell.
//
// The two sides take turns: a pair is two blocks of each, of a fraction of a second, in the order
// base, now, now, base or now, base, base, now, drawn at random. So the machine's noise affects both
// sides alike, and a steady drift over the four blocks cancels out of their ratio. A [Test] takes
// pairs ([Test.Add]), and after a growing number of them ([Test.AnalysisDue]) it analyzes all of
// them ([Test.Analyze]). The [Result] has a [Metric] for each metric of each operation, with the
// two samples, the ratio of the sides with its interval, the p-value, and a [Decision].
//
// Each analysis may spend an equal part of [FalseAlarms] and [Misses], so both bounds hold however
// long the test goes on (S. J. Pocock, "Group sequential methods in the design and analysis of
// clinical trials", Biometrika 64, 1977, with Bonferroni's bound in place of his constants).
// Differences are tested with Wilcoxon's signed-rank test, and p-values corrected by Holm's method
// over all metrics.
//
// The package makes no verdicts and has no text for users: a Metric says with a [Cause] why it was
// decided as it was, and package judge makes a verdict of it. It measures nothing and has no clock.
package sequential

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// How sure a decision is.
const (
	// FalseAlarms bounds the chance that any metric at all is called better or worse if nothing
	// changed.
	FalseAlarms = 0.01

	// Misses bounds the chance that a metric is called unchanged though it got worse by twice its
	// tolerance.
	Misses = 0.02
)

// A Test is a group-sequential test of two sides that take turns. Its caller adds pairs until an
// analysis decides, or no further pair can be measured.
type Test struct {
	options  Options
	analyses int
	pairs    int
	metrics  []*metric
	byKey    map[Key]*metric // the same; nil for a metric that isn't tested
	reported []Metric        // metrics that the caller decided
}

// Options say what is tested.
type Options struct {
	// Units returns how the named metric is tested. It reports false for a metric that isn't
	// tested. If Units is nil, the metrics of [results.Units] that have a Sequential margin are
	// tested.
	Units func(name string) (Unit, bool)

	// Tolerances replace the margins of metrics, if Units is nil.
	Tolerances results.Tolerances

	// Only names the metrics that are tested, of those that Units has. If it is nil, all are.
	Only []Key

	// Rest lets an operation rest once all of its metrics are decided: later pairs may leave it
	// out, and its decisions stay. A metric that got worse then doesn't end the test, since other
	// operations may still be open.
	Rest bool

	// Means says that each pair averages many blocks of each side, such as all blocks of one layout
	// of the code, so that a few pairs decide. Their mean is tested with Student's t-test.
	Means bool

	// Weight returns how much of FalseAlarms a metric may spend, as a positive number in proportion
	// to the weights of the other metrics. Nil gives all metrics the same weight.
	Weight func(Key) float64
}

// A Unit says how a metric is tested.
type Unit struct {
	// Unit names the metric. If Better is 0, nothing says which way is better: a change leaves the
	// metric unclear, with the cause Undirected. An Exact metric is compared exactly as long as the
	// base's samples are all the same, and tested once they differ.
	results.Unit

	// Steady makes an Exact metric tested also if now's samples differ.
	Steady bool

	// Margin is the smallest change that counts if the metric is tested.
	Margin results.Margin

	// Undirected says why a declaration of the direction isn't valid, if Better is 0 for that
	// reason. This package doesn't look at it.
	Undirected string
}

// scenarioUnit returns how a metric of a scenario is tested. The metrics that aren't tested repeat
// others (ops/s, MB/s), rest on too few operations of a block (p99.9-ns/op), or jump if the
// distribution of times has two modes (p50-ns/op).
func (o Options) scenarioUnit(name string) (Unit, bool) {
	unit, _ := results.LookupUnit(name)
	unit = o.Tolerances.Apply(unit)
	return Unit{
		Unit: unit, Margin: unit.Sequential,
		// The names of devices differ in length, and timing decides which device gets how many operations.
		// Near a half, the mean is rounded up in some blocks only.
		Steady: name == results.UnitWire,
	}, !unit.Sequential.IsZero()
}

// New returns a test that has no pairs yet.
func New(o Options) *Test {
	if o.Units == nil {
		o.Units = o.scenarioUnit
	}
	return &Test{options: o, byKey: map[Key]*metric{}}
}

// Pairs returns how many pairs were added.
func (t *Test) Pairs() int { return t.pairs }

// AnalysisDue reports whether there are enough pairs for the next analysis.
func (t *Test) AnalysisDue() bool { return t.pairs >= t.options.schedule().pairsAt(t.analyses) }

// CanAddPair reports whether another pair can be added.
func (t *Test) CanAddPair() bool { return t.pairs < t.options.schedule().maxPairs }

// Add adds a pair: the records of each block of the base, and of each block of the other side. It
// returns an error if a side has no block, or a record isn't valid.
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

// AppendBlocks appends the records of blocks to a list, numbered as repetitions: the first block
// comes after the given number of them.
func AppendBlocks(list []results.Record, blocks [][]results.Record, before int) []results.Record {
	for i, b := range blocks {
		for _, r := range b {
			r.Repetition = before + i + 1
			list = append(list, r)
		}
	}
	return list
}

// addMetric adds a metric of a record, unless an earlier record had it.
func (t *Test) addMetric(r results.Record, name string) {
	key := Key{r.Scenario, r.Op, name}
	if _, known := t.byKey[key]; known {
		return
	}
	unit, tested := t.options.Units(name)
	if !tested || t.options.Only != nil && !slices.Contains(t.options.Only, key) {
		t.byKey[key] = nil
		return
	}
	t.byKey[key] = &metric{scenario: r.Scenario, op: r.Op, unit: unit, incomplete: t.pairs > 1}
	t.metrics = append(t.metrics, t.byKey[key])
}

// Decide adds a metric that the caller has decided, for example because its operation can't be
// measured. Every later analysis returns it among its metrics. given explains the decision.
func (t *Test) Decide(key Key, d Decision, given any) {
	unit, _ := results.LookupUnit(key.Unit)
	unit.Name = key.Unit
	t.reported = append(t.reported, Metric{
		Scenario: key.Scenario, Op: key.Op, Unit: Unit{Unit: unit},
		Outcome: Outcome{Decision: d, Cause: Reported, Given: given},
	})
}

// Abandon decides every metric of key's operation, which can't be measured any more. If the
// operation was never measured, Abandon adds the metric key, as [Test.Decide] does.
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

// Analyze analyzes all pairs. The caller calls it whenever an analysis is due, and once more with
// last set, which makes metrics that are still open unclear. decided reports whether the test is
// over: every metric is decided or, unless operations rest, one got worse.
func (t *Test) Analyze(last bool) (r Result, decided bool) {
	share := t.options.schedule().share(t.analyses)
	t.analyses++
	level := 1 - 2*Misses*share
	t.sort()
	bounds := make([]float64, len(t.metrics)) // of how much worse each metric is
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

// rest marks operations whose metrics are all decided as resting. metrics are the results of
// t.metrics.
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

// sort sorts the metrics as [Result.Metrics] has them.
func (t *Test) sort() {
	added := map[Key]int{} // the place of each operation in the order in which they were added
	for _, m := range t.metrics {
		if k := m.operation(); added[k] == 0 {
			added[k] = len(added) + 1
		}
	}
	slices.SortStableFunc(t.metrics, func(a, b *metric) int {
		return cmp.Or(
			cmp.Compare(added[a.operation()], added[b.operation()]),
			cmp.Compare(results.UnitOrder(a.unit.Name), results.UnitOrder(b.unit.Name)),
		)
	})
}

// A schedule says after how many pairs the test is analyzed. More analyses would each have a
// smaller share of FalseAlarms and Misses, and few new pairs.
type schedule struct {
	first    int     // pairs at the first analysis: the fewest that can show anything for a dozen metrics
	growth   float64 // of the number of pairs from one analysis to the next
	maxPairs int

	// rising gives each analysis growth times the share of the one before, instead of equal shares.
	// That suits pairs that take long: it favors the analyses of many pairs, which decide best.
	rising bool
}

// The largest numbers of pairs, and of layouts of the code, that a test takes.
const (
	MaxPairs   = stats.MaxExactPairs
	MaxLayouts = 48
)

func (o Options) schedule() schedule {
	if o.Means {
		return schedule{first: 6, growth: 2, maxPairs: MaxLayouts, rising: true}
	}
	return schedule{first: 16, growth: 1.5, maxPairs: MaxPairs}
}

// pairsAt returns how many pairs the next analysis needs, after the given number of analyses.
func (s schedule) pairsAt(analyses int) int {
	return int(float64(s.first) * math.Pow(s.growth, float64(analyses)))
}

// maxAnalyses returns how many analyses there can be: one at each scheduled number of pairs, and
// one at the end, whenever that comes.
func (s schedule) maxAnalyses() int {
	n := 0
	for s.pairsAt(n) < s.maxPairs {
		n++
	}
	return n + 1
}

// share returns which share of FalseAlarms and Misses the next analysis may spend, after the given
// number of analyses. The shares of all analyses add up to 1.
func (s schedule) share(analyses int) float64 {
	n := s.maxAnalyses()
	if !s.rising {
		return 1 / float64(n)
	}
	sum := 0.0
	for i := range n {
		sum += math.Pow(s.growth, float64(i))
	}
	return math.Pow(s.growth, float64(min(analyses, n-1))) / sum
}

package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Paired judges one side of a comparison by what it measured in turns with the other: blocks
// of a fraction of a second, in the order base, now, now, base or the other way round, which
// of the two being drawn. What the machine does to one it does to the other, and a drift that is
// even over the four falls out of their ratio.
//
// It is asked again and again as pairs come in, and says when they decide. There are at most
// mostLooks looks, and each may spend its share of Alpha and Miss: however long it goes on, the
// chances stay as they were stated (S. J. Pocock's plan of equal chances, "Group sequential methods in
// the design and analysis of clinical trials", Biometrika 64, 1977, with Bonferroni's bound in
// place of his constants).
type Paired struct {
	o       PairedOptions
	looks   int
	pairs   int
	metrics []*pairedMetric
	known   map[rowKey]*pairedMetric // the same; nil for one that isn't judged
	decided []JudgedRow              // rows that no pair decides
}

type rowKey struct{ scenario, op, unit string }

// PairedOptions say how sure a verdict is to be, and what is tested.
type PairedOptions struct {
	// Units says how the metric of a name is judged, and whether it is. Nil judges a scenario's
	// metrics by the gate's tolerances.
	Units func(name string) (PairedUnit, bool)

	// Rest lets an operation rest once each of its metrics is decided: later pairs may leave it
	// out, and its verdicts stay. Then a regression ends nothing, for other operations are still open.
	Rest bool

	// Alpha is the chance that any metric at all is called regressed, or improved, where
	// nothing changed. 0: 1%.
	Alpha float64
	// Miss is the chance that a metric passes that got worse by twice its tolerance. 0: 2%.
	Miss float64
}

// The defaults.
const (
	defaultPairedAlpha = 0.01
	defaultPairedMiss  = 0.02
)

// NewPaired begins.
func NewPaired(o PairedOptions) (*Paired, error) {
	if o.Alpha == 0 {
		o.Alpha = defaultPairedAlpha
	}
	if o.Miss == 0 {
		o.Miss = defaultPairedMiss
	}
	if !(o.Alpha > 0 && o.Alpha < 1) {
		return nil, fmt.Errorf("paired: alpha %v: want above 0 and below 1", o.Alpha)
	}
	if !(o.Miss > 0 && o.Miss < 1) {
		return nil, fmt.Errorf("paired: miss %v: want above 0 and below 1", o.Miss)
	}
	return &Paired{o: o, known: map[rowKey]*pairedMetric{}}, nil
}

// pairedMetric is one row.
type pairedMetric struct {
	scenario, op string
	unit         PairedUnit
	base, now    []float64 // a value a block
	differences  []float64 // a value a pair: of logarithms, or of the values where zero makes sense
	estimate     float64   // of the shift, at the last look
	incomplete   bool      // some block of a side that had it elsewhere lacks it
	passed       int       // after how many pairs it last passed; 0: it never did

	resting bool // its operation is decided, with this verdict and note
	verdict Verdict
	note    string
}

// A PairedUnit says how a metric is judged where two sides take turns.
type PairedUnit struct {
	// Unit names the metric. If Better is 0, nothing says which way is better: a change makes the
	// metric inconclusive, with Undirected as its note. An Exact metric is compared exactly while
	// the base's samples are all the same, and tested once they differ.
	Unit

	// Steady makes an Exact metric tested, too, where the other side's samples differ among themselves.
	Steady bool

	// Test is the change that counts if the metric is tested.
	Test PairedTolerance

	Undirected string
}

// A PairedTolerance is the smallest change that counts between two sides that take turns, which is much
// less than where one of them is a page from last week.
type PairedTolerance struct {
	Relative float64
	Slack    float64 // in the unit itself
	Absolute bool    // differences are of the values, not of their logarithms
}

// scenarioUnit is how a scenario's metric is judged. The ones that it lacks say the same in other words
// (ops/s, MB/s), or rest on too few operations of a block to say anything (p99.9-ns/op); a median jumps
// where times have two humps.
func scenarioUnit(name string) (PairedUnit, bool) {
	unit, known := LookupUnit(name)
	u := PairedUnit{Unit: unit}
	switch {
	case !known:
		return u, false
	case unit.Exact:
		// Timing may determine it too, as when pushes meet at a device. Then a difference is no proof.
		u.Test = PairedTolerance{Relative: toleranceVaried, Absolute: true}
		return u, true
	}
	var tested bool
	u.Test, tested = PairedTolerances(name)
	return u, tested
}

// PairedTolerances returns the tolerance of a metric that is tested where two sides take turns. It
// reports false for every other metric.
func PairedTolerances(unit string) (PairedTolerance, bool) {
	switch unit {
	case "cpu-ns/op":
		return PairedTolerance{Relative: 0.025}, true
	case "ns/op": // holds the scheduler's noise beside the machine's: half as much again
		return PairedTolerance{Relative: 0.04}, true
	case "p99-ns/op":
		return PairedTolerance{Relative: 0.10}, true
	case "peak-rss-B":
		return PairedTolerance{Relative: 0.10}, true
	case "B/op":
		return PairedTolerance{Relative: 0.01, Slack: heapQuantum, Absolute: true}, true
	case "allocs/op":
		return PairedTolerance{Slack: slackAllocations, Absolute: true}, true
	}
	return PairedTolerance{}, false
}

// tolerance is that of a metric, if it is tested rather than compared.
func (m *pairedMetric) tolerance() (t PairedTolerance, tested bool) {
	if !m.unit.Exact || varies(m.base) || m.unit.Steady && varies(m.now) {
		return m.unit.Test, true
	}
	return PairedTolerance{}, false
}

func varies(values []float64) bool {
	return len(values) > 0 && slices.Min(values) != slices.Max(values)
}

// heapQuantum is what bytes allocated an operation are rounded to.
const heapQuantum = 8

// Pairs is how many there are.
func (p *Paired) Pairs() int { return p.pairs }

// Looks: the first is where a test over a dozen metrics can first say anything, and each after it
// has half as many pairs more. More would spend the chances on looks that see nothing new.
const (
	firstLook = 16
	lookAfter = 1.5
)

// Due reports whether it is time for a look.
func (p *Paired) Due() bool { return p.pairs >= lookAt(p.looks) }

// lookAt is how many pairs the look wants that comes after so many.
func lookAt(looks int) int {
	next := float64(firstLook)
	for range looks {
		next *= lookAfter
	}
	return int(next)
}

// mostLooks is how many there can be: those that are due, and one at the end, whenever that comes.
func mostLooks() int {
	n := 0
	for lookAt(n) < maxExactPairs {
		n++
	}
	return n + 1
}

// MorePairs reports whether another can be taken.
func (p *Paired) MorePairs() bool { return p.pairs < maxExactPairs }

// Add takes a pair: the records of the base's blocks, and those of the other side's.
func (p *Paired) Add(base, now [][]Record) error {
	for side, blocks := range map[string][][]Record{"base": base, "now": now} {
		if len(blocks) == 0 {
			return fmt.Errorf("paired: a pair without a block of %s", side)
		}
		for _, b := range blocks {
			for _, r := range b {
				if err := r.validate(); err != nil {
					return fmt.Errorf("paired: %s: %w", side, err)
				}
			}
		}
	}
	p.pairs++
	for _, b := range slices.Concat(base, now) {
		for _, r := range b {
			for _, v := range r.Values {
				p.metric(r, v.Unit)
			}
		}
	}
	for _, m := range p.metrics {
		m.add(base, now)
	}
	return nil
}

// metric finds a row, or begins it.
func (p *Paired) metric(r Record, name string) {
	key := rowKey{r.Scenario, r.Op, name}
	if _, met := p.known[key]; met {
		return
	}
	units := p.o.Units
	if units == nil {
		units = scenarioUnit
	}
	unit, judged := units(name)
	if !judged {
		p.known[key] = nil
		return
	}
	p.known[key] = &pairedMetric{scenario: r.Scenario, op: r.Op, unit: unit, incomplete: p.pairs > 1}
	p.metrics = append(p.metrics, p.known[key])
}

func (m *pairedMetric) of(blocks [][]Record) (values []float64) {
	for _, b := range blocks {
		for _, r := range b {
			if v, ok := r.Value(m.unit.Name); ok && r.Scenario == m.scenario && r.Op == m.op {
				values = append(values, v)
			}
		}
	}
	return values
}

func (m *pairedMetric) add(base, now [][]Record) {
	old, new := m.of(base), m.of(now)
	if m.resting {
		return
	}
	m.base, m.now = append(m.base, old...), append(m.now, new...)
	if len(old) < len(base) || len(new) < len(now) {
		m.incomplete = true
		return
	}
	// An exact metric, too, may turn out to vary.
	m.differences = append(m.differences, m.unit.Test.mean(new)-m.unit.Test.mean(old))
}

// mean is that of a side's blocks.
func (t PairedTolerance) mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		if !t.Absolute {
			v = math.Log(max(v, math.SmallestNonzeroFloat64))
		}
		sum += v
	}
	return sum / float64(len(values))
}

// Look judges what there is, when it is Due, and once more at the end. decided: more pairs would not change the verdict, as far as is asked.
// At the last look what is open is inconclusive. invalid are reasons for which nothing can be believed.
func (p *Paired) Look(last bool, invalid []string) (j *Judgement, decided bool) {
	p.looks++
	j = &Judgement{Alpha: p.o.Alpha, HasBaseline: true}
	looks := float64(mostLooks())
	alpha, outside := p.o.Alpha/looks, map[int]int{}
	level := 1 - 2*p.o.Miss/looks
	p.order()
	bounds := make([]float64, len(p.metrics)) // how much worse it may be
	for i, m := range p.metrics {
		n := len(m.differences)
		if _, known := outside[n]; !known {
			outside[n] = signedRankQuantile(n, (1-level)/2)
		}
		var row JudgedRow
		row, bounds[i] = m.row(outside[n], level)
		j.Rows = append(j.Rows, row)
	}
	measured := len(j.Rows)
	if len(invalid) > 0 {
		for i := range j.Rows {
			j.Rows[i].Verdict, j.Rows[i].Note = "", "invalid: no verdict"
		}
		j.Verdict, j.Reason = Invalid, strings.Join(invalid, "; ")
		return j, true
	}
	holm(j.Rows, func(*JudgedRow) bool { return true })
	decided = len(j.Rows) > 0
	for i := range j.Rows {
		r := &j.Rows[i]
		p.metrics[i].decide(r, alpha, bounds[i])
		if r.Verdict == "" {
			decided = false
			if last {
				r.Verdict, r.Note = Inconclusive, "not decided by then: allow more time (--budget), or measure on a quieter machine"
			}
		}
	}
	if p.o.Rest {
		p.rest(j.Rows)
	} else if slices.ContainsFunc(j.Rows, func(r JudgedRow) bool { return r.Verdict == Regressed }) {
		decided = true
	}
	j.Rows = append(j.Rows, p.decided...)
	if decided || last {
		j.conclude(Conditions{SameMachine: true, SameWorkload: true})
	}
	if measured == 0 && len(p.decided) == 0 {
		j.Verdict, j.Reason = Invalid, "neither side measured anything"
	}
	return j, decided
}

// Decide adds a row that no pair decides, such as one of an operation that can't be measured. It is
// among the rows of every later look.
func (p *Paired) Decide(r JudgedRow) { p.decided = append(p.decided, r) }

// Abandon gives each metric of an operation that can't be measured any more the verdict and the note of
// r. If it was never measured, r is a row of its own, as for [Paired.Decide].
func (p *Paired) Abandon(r JudgedRow) {
	measured := false
	for _, m := range p.metrics {
		if m.scenario == r.Scenario && m.op == r.Op {
			m.resting, m.verdict, m.note, measured = true, r.Verdict, r.Note, true
		}
	}
	if !measured {
		p.Decide(r)
	}
}

// Resting reports whether an operation is decided, so that later pairs may leave it out.
func (p *Paired) Resting(scenario, op string) bool {
	return slices.ContainsFunc(p.metrics, func(m *pairedMetric) bool { return m.scenario == scenario && m.op == op && m.resting })
}

// rest lets the operations rest whose rows, those of p.metrics, all have a verdict.
func (p *Paired) rest(rows []JudgedRow) {
	open := map[rowKey]bool{}
	for _, r := range rows {
		if r.Verdict == "" {
			open[rowKey{scenario: r.Scenario, op: r.Op}] = true
		}
	}
	for i, m := range p.metrics {
		if !open[rowKey{scenario: m.scenario, op: m.op}] {
			m.resting, m.verdict, m.note = true, rows[i].Verdict, rows[i].Note
		}
	}
}

// order sorts the rows: scenarios and operations as they came, metrics as in Units.
func (p *Paired) order() {
	type key struct{ scenario, op string }
	came := map[key]int{}
	for _, m := range p.metrics {
		k := key{m.scenario, m.op}
		if _, ok := came[k]; !ok {
			came[k] = len(came)
		}
	}
	slices.SortStableFunc(p.metrics, func(a, b *pairedMetric) int {
		return cmp.Or(
			cmp.Compare(came[key{a.scenario, a.op}], came[key{b.scenario, b.op}]),
			cmp.Compare(unitOrder(a.unit.Name), unitOrder(b.unit.Name)),
		)
	})
}

// row is a metric's figures, and how much worse it may be, as its logarithm or in its unit.
func (m *pairedMetric) row(outside int, level float64) (JudgedRow, float64) {
	r := JudgedRow{Scenario: m.scenario, Op: m.op, Unit: m.unit.Name,
		Baseline: summarize(m.base, m.unit.Exact), Now: summarize(m.now, m.unit.Exact)}
	if r.Baseline != nil && r.Now != nil {
		r.Delta = relativeChange(r.Baseline.Median, r.Now.Median)
	}
	t, tested := m.tolerance()
	if !tested || len(m.differences) == 0 {
		return r, 0
	}
	p := signedRankP(m.differences)
	r.P = &p
	estimate, low, high, bounded := shift(m.differences, outside)
	m.estimate = estimate
	worst := math.Inf(1)
	if bounded {
		switch {
		case m.unit.Better < 0:
			worst = high
		case m.unit.Better > 0:
			worst = -low
		default: // either way may be the worse one
			worst = max(high, -low)
		}
	}
	if m.unit.Exact {
		worst = max(worst, m.meanBeyond(t, level))
	}
	ratio := math.Exp
	if t.Absolute {
		base := r.Baseline.Median
		ratio = func(d float64) float64 { return 1 + d/base }
		if base <= 0 {
			return r, worst // a share of nothing is none
		}
	}
	change := ratio(estimate) - 1
	r.Delta = &change
	if bounded {
		r.Ratio = &PairedRatio{Pairs: len(m.differences), Estimate: ratio(estimate), Low: ratio(low), High: ratio(high), Level: level}
	}
	return r, worst
}

// meanBeyond is how much worse the mean difference may be. Of a count that seldom differs the shift is 0, and its
// interval as well, whatever the mean; n is large enough for the normal distribution.
func (m *pairedMetric) meanBeyond(t PairedTolerance, level float64) float64 {
	n, mean, squares := float64(len(m.differences)), t.mean(m.differences), 0.0
	for _, d := range m.differences {
		squares += (d - mean) * (d - mean)
	}
	deviation := math.Sqrt(squares / max(1, n-1) / n)
	return mean*float64(-m.unit.Better) + math.Sqrt2*math.Erfinv(level)*deviation
}

// decide leaves the verdict open where more pairs are wanted.
func (m *pairedMetric) decide(r *JudgedRow, alpha, worst float64) {
	switch {
	case m.resting:
		r.Verdict, r.Note = m.verdict, m.note
		return
	case r.Baseline == nil:
		r.Verdict, r.Note = Inconclusive, "the base has no such metric: nothing to hold it against"
		return
	case r.Now == nil:
		r.Verdict, r.Note = Regressed, noteMissing
		return
	case m.incomplete:
		r.Verdict, r.Note = Inconclusive, "some blocks lack it: find out what became of them"
		return
	}
	t, tested := m.tolerance()
	if !tested {
		r.decideExact(m.unit.Unit)
		return
	}
	if m.unit.Exact {
		r.Note = "timing determines it too, as the base's own blocks differ: tested"
		if m.unit.Steady {
			r.Note = "its samples differ among themselves: tested, not compared exactly"
		}
	}
	worse, allowed := m.estimate*float64(-m.unit.Better), math.Log1p(t.Relative)
	if t.Absolute {
		allowed = t.Slack + t.Relative*math.Abs(r.Baseline.Median)
	}
	if m.unit.Exact { // of something rare the median is none, and so is the shift: the means tell
		worse = t.mean(m.differences) * float64(-m.unit.Better)
		allowed = t.Slack + t.Relative*math.Abs(t.mean(m.base))
	}
	switch {
	case m.unit.Better == 0 && *r.AdjustedP < alpha && math.Abs(m.estimate) > allowed:
		r.Verdict, r.Note = Inconclusive, m.unit.Undirected
	case *r.AdjustedP < alpha && worse > allowed:
		r.Verdict = Regressed
	case *r.AdjustedP < alpha && worse < -allowed:
		r.Verdict = Improved
	case worst < 2*allowed, worst <= 0:
		r.Verdict, m.passed = Pass, len(m.differences)
	case m.passed > 0: // the chance of being wrong in this was spent then
		r.Verdict, r.Note = Pass, fmt.Sprintf("shown after %d pairs", m.passed)
	}
}

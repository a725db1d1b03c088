package results

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// A Verdict is what a comparison came to. There are five, and the empty verdict
// says that nothing was judged, which a gate must never take for a pass.
type Verdict string

// The verdicts, worst first: a run's verdict is the worst that it earned.
const (
	Invalid      Verdict = "invalid"      // the run contradicts itself; its numbers mean nothing
	Regressed    Verdict = "regressed"    // worse than the baseline by more than its tolerance
	Inconclusive Verdict = "inconclusive" // the samples can't tell
	Improved     Verdict = "improved"     // better by more than the tolerance, and nothing worse
	Pass         Verdict = "pass"         // neither
)

// A Judgement is a run held against a baseline: a row each metric of each
// operation, and what they come to.
type Judgement struct {
	// Verdict is the worst of the rows' verdicts, in the order invalid, regressed,
	// inconclusive, improved, pass. It is empty where no row was judged.
	Verdict Verdict     `json:"verdict"`
	Reason  string      `json:"reason"` // a sentence
	Rows    []JudgedRow `json:"rows"`

	// HasBaseline is false where there was nothing to hold the run against.
	HasBaseline bool    `json:"has_baseline"`
	Alpha       float64 `json:"alpha"` // the family-wise error rate of the rows that were tested
}

// A JudgedRow is one metric of one operation.
type JudgedRow struct {
	Scenario string   `json:"scenario"`
	Op       string   `json:"op"`
	Unit     string   `json:"unit"`
	Baseline *Summary `json:"baseline,omitempty"` // nil where the baseline lacks it
	Now      *Summary `json:"now,omitempty"`      // nil where it is missing now

	// Delta is the relative change of the median: 0.1 is a tenth more. It is nil
	// where there is no baseline, or where the baseline is zero and now isn't.
	Delta *float64 `json:"delta,omitempty"`

	// P is the Mann-Whitney U test's p-value, and AdjustedP the same after Holm's
	// correction over all rows that were tested. Both are nil where no test was
	// made: exact metrics, and rows that aren't judged.
	P         *float64 `json:"p,omitempty"`
	AdjustedP *float64 `json:"adjusted_p,omitempty"`

	// Ratio is how now compares to the baseline by pairs of neighbouring measurements. It is nil
	// where the two weren't measured in turns; where it is there, Delta, P and AdjustedP are
	// those of the pairs.
	Ratio *PairedRatio `json:"ratio,omitempty"`

	Verdict Verdict `json:"verdict,omitempty"` // empty where the row isn't judged
	Note    string  `json:"note,omitempty"`    // why the verdict is what it is, where that isn't plain
}

// A PairedRatio is what now is of the base, 1 being no change, estimated from pairs of
// neighbouring measurements.
type PairedRatio struct {
	Pairs    int     `json:"pairs"`
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"` // of the interval at Level
	High     float64 `json:"high"`
	Level    float64 `json:"level"` // such as 0.99
}

// A Summary describes a sample by its median.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`

	// Low and High bound the median with 95% confidence, free of assumptions about
	// the distribution. They are nil where the sample is too small for a bound
	// (fewer than 6). For exact metrics they are the smallest and largest value.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`

	interval string // as benchstat prints it: "2%", "∞"
}

// Interval is half the width of the interval, as benchstat prints it: "2%", or "∞" where the sample
// is too small for a bound. It is empty for an exact metric.
func (s Summary) Interval() string { return s.interval }

// Conditions say what a run and its baseline have in common, and so which rows
// may be judged.
type Conditions struct {
	SameMachine  bool     // times, rates, processor time and memory may be judged
	SameWorkload bool     // anything may be judged
	Pace         float64  // how many times as long the yardstick took as with the baseline; 0 where that isn't known
	Disturbed    string   // what took the machine from the run, a clause; then nothing that isn't portable can regress or improve
	Invalid      []string // why the run is invalid, a sentence each; then nothing is judged
	Repetitions  int      // that the run completed, 0 where unknown; an exact metric that some of them lack can't pass
	Alpha        float64  // the family-wise error rate; 0 means 0.05

	// PortableOnly: only what means the same on any machine was asked for.
	PortableOnly bool

	// Strict: every metric of the baseline was asked for, so that one without a verdict is
	// inconclusive.
	Strict bool

	// Outcome is what became of the run's devices; nil: that isn't judged.
	Outcome *Outcome

	// WholeAllocations says that allocs/op are whole numbers, as the testing package prints them: where
	// all samples of a side are the same, one more is one more.
	WholeAllocations bool
}

const (
	defaultAlpha      = 0.05
	defaultConfidence = 0.95
)

// Notes that stand in a row for a verdict, or explain one.
const (
	noteOtherMachine  = "another machine: no verdict"
	noteMoved         = "the machine moved: no verdict"
	noteOtherWorkload = "another workload: no verdict"
	noteNotInBaseline = "not in the baseline"
	noteMissing       = "missing now"
	noteUnknownUnit   = "unknown metric: no verdict"
	noteNotAsked      = "not portable: no verdict"
)

// Judge holds the records of a run against a baseline, which may be nil.
//
// Rows are paired by scenario, operation and metric, whatever the GOMAXPROCS in
// the benchmark's name: another GOMAXPROCS is another machine, and Conditions
// say so. Each row is judged by its metric's [Unit]:
//
//   - A metric or operation that the baseline has and the run lacks is regressed.
//     Processor time and memory, which not every system tells, are so only on the
//     baseline's machine.
//   - An exact metric is judged by its median, with no test: any worsening is
//     regressed, any betterment improved. Where some repetition was worse than
//     all of the baseline's, and the median hides it, it is inconclusive. Where the
//     baseline's own samples differ, timing decides it as well as the seed: then it is
//     tested as others are.
//   - Every other metric is tested with the Mann-Whitney U test, as benchstat
//     does, and the p-values corrected by Holm's method (S. Holm, "A simple
//     sequentially rejective multiple test procedure", 1979). It is regressed, or
//     improved, where the corrected p is below Alpha and the median moved by more
//     than the metric's tolerance and its slack.
//   - It is inconclusive where the samples are too few for any p below Alpha, or
//     where it got worse beyond its tolerance with a p below Alpha that Holm's
//     correction takes back.
//   - It is inconclusive, too, where it would be regressed or improved but something
//     else had the machine at the time and the metric depends on that; where it
//     is exact, would pass, and some of the run's repetitions lack it; and where a sample
//     of it is zero, though what it measures can't be.
func Judge(base *BaselineScenario, now []Record, c Conditions) *Judgement {
	if c.Alpha == 0 {
		c.Alpha = defaultAlpha
	}
	j := &Judgement{Alpha: c.Alpha, HasBaseline: base != nil && len(base.Records) > 0}
	if !(c.Alpha > 0 && c.Alpha < 1) {
		c.Invalid = append(slices.Clip(c.Invalid), fmt.Sprintf("alpha %v isn't between 0 and 1", c.Alpha))
		j.Alpha = defaultAlpha
	}
	var old []Record
	if j.HasBaseline {
		old = base.Records
	}
	for what, records := range map[string][]Record{"the run": now, "the baseline": old} {
		for _, r := range records {
			if err := r.validate(); err != nil {
				c.Invalid = append(slices.Clip(c.Invalid), fmt.Sprintf("%s holds a sample that is no number or has no name (%v)", what, err))
			}
		}
	}
	c.Invalid = slices.Sorted(slices.Values(c.Invalid)) // a copy: the run's own list keeps its order
	if len(now) == 0 && !j.HasBaseline {
		c.Invalid = append(c.Invalid, "the run holds no samples")
	}
	pairs := pairSamples(old, now)
	for _, p := range pairs {
		j.Rows = append(j.Rows, p.row(j.HasBaseline, c))
	}
	if len(c.Invalid) > 0 {
		for i := range j.Rows {
			j.Rows[i].Verdict, j.Rows[i].Note = "", "invalid run: no verdict"
		}
		j.Verdict, j.Reason = Invalid, strings.Join(c.Invalid, "; ")
		return j
	}
	correctHolm(j.Rows, c.Alpha)
	for i := range j.Rows {
		j.Rows[i].decide(c)
		j.Rows[i].doubt(c)
	}
	if j.HasBaseline {
		j.Rows = append(j.Rows, c.outcomeRows(base, now)...)
	}
	if c.Strict {
		for i := range j.Rows {
			j.Rows[i].demand(c)
		}
	}
	j.conclude(c)
	return j
}

// A pair is the two samples of a row; either may be empty.
type pair struct {
	scenario, op, unit string
	old, now           []float64
}

// pairSamples lists scenarios and operations as they first appear, the run's
// before those that only the baseline has, and metrics in the order of Units.
func pairSamples(old, now []Record) []*pair {
	type key struct{ scenario, op, unit string }
	type opKey struct{ scenario, op string }
	found := make(map[key]*pair)
	ops := make(map[opKey]int)
	var pairs []*pair
	collect := func(records []Record, side func(*pair) *[]float64) {
		for _, r := range records {
			o := opKey{r.Scenario, r.Op}
			if _, ok := ops[o]; !ok {
				ops[o] = len(ops)
			}
			for _, v := range r.Values {
				k := key{r.Scenario, r.Op, v.Unit}
				p := found[k]
				if p == nil {
					p = &pair{scenario: r.Scenario, op: r.Op, unit: v.Unit}
					found[k] = p
					pairs = append(pairs, p)
				}
				values := side(p)
				*values = append(*values, v.Value)
			}
		}
	}
	collect(now, func(p *pair) *[]float64 { return &p.now })
	collect(old, func(p *pair) *[]float64 { return &p.old })
	slices.SortStableFunc(pairs, func(a, b *pair) int {
		if d := ops[opKey{a.scenario, a.op}] - ops[opKey{b.scenario, b.op}]; d != 0 {
			return d
		}
		if d := unitOrder(a.unit) - unitOrder(b.unit); d != 0 {
			return d
		}
		return strings.Compare(a.unit, b.unit)
	})
	return pairs
}

// row summarizes both samples and tests them where the row may be judged.
func (p *pair) row(hasBaseline bool, c Conditions) JudgedRow {
	unit, known := LookupUnit(p.unit)
	notMeasured := p.zero(unit)
	r := JudgedRow{Scenario: p.scenario, Op: p.op, Unit: p.unit,
		Baseline: summarize(p.old, unit.Exact), Now: summarize(p.now, unit.Exact)}
	if r.Baseline != nil && r.Now != nil {
		r.Delta = relativeChange(r.Baseline.Median, r.Now.Median)
	}
	switch {
	case !hasBaseline || len(c.Invalid) > 0:
	case !c.SameWorkload:
		r.Note = noteOtherWorkload
	case r.Now == nil && !c.SameMachine && (unit.Class == ClassCPU || unit.Class == ClassMemory):
		r.Note = noteOtherMachine
	case r.Now == nil:
		r.Verdict, r.Note = Regressed, noteMissing
	case r.Baseline == nil:
		r.Note = noteNotInBaseline
	case !known:
		r.Note = noteUnknownUnit
	case notMeasured != "":
		r.Verdict, r.Note = Inconclusive, notMeasured
	case !unit.Class.Portable() && c.PortableOnly:
		r.Note = noteNotAsked
	case !unit.Class.Portable() && !c.SameMachine:
		r.Note = noteOtherMachine
	case moved(c.Pace) != "" && unit.Class.follows():
		r.Note = noteMoved
	case unit.Exact && !r.Baseline.varies(), c.WholeAllocations && unit.Name == "allocs/op" && !varies(p.old) && !varies(p.now):
		r.Baseline, r.Now = summarize(p.old, true), summarize(p.now, true)
		r.decideExact(unit)
	default:
		thresholds := benchmath.Thresholds{CompareAlpha: c.Alpha}
		// NewSample sorts in place, and each sample is this row's own.
		cmp := benchmath.AssumeNothing.Compare(benchmath.NewSample(p.old, &thresholds), benchmath.NewSample(p.now, &thresholds))
		p := min(1, cmp.P) // twice a tail of a discrete distribution can be more
		r.P = &p
	}
	return r
}

func summarize(values []float64, exact bool) *Summary {
	if len(values) == 0 || slices.ContainsFunc(values, func(v float64) bool { return !finite(v) }) {
		return nil
	}
	values = slices.Clone(values)
	slices.Sort(values)
	s := &Summary{N: len(values)}
	if exact {
		s.Median = median(values)
		s.Low, s.High = &values[0], &values[len(values)-1]
		return s
	}
	summary := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), defaultConfidence)
	s.Median, s.interval = summary.Center, summary.PctRangeString()
	if finite(summary.Lo) && finite(summary.Hi) {
		s.Low, s.High = &summary.Lo, &summary.Hi
	}
	return s
}

// relativeChange is nil where it would be infinite.
func relativeChange(old, now float64) *float64 {
	change := now/old - 1
	switch {
	case old == now:
		change = 0
	case old == 0:
		return nil
	}
	if !finite(change) {
		return nil
	}
	return &change
}

// decideExact judges a metric that has no noise.
func (r *JudgedRow) decideExact(unit Unit) {
	switch worse := worsening(unit, r.Baseline.Median, r.Now.Median); {
	case worse > 0:
		r.Verdict = Regressed
	case worse < 0:
		r.Verdict = Improved
	default:
		r.Verdict = Pass
	}
	if r.Verdict != Regressed && worsening(unit, r.Baseline.worst(unit), r.Now.worst(unit)) > 0 {
		r.Verdict = Inconclusive
		r.Note = fmt.Sprintf("worse in some repetitions (%s at worst), though a seed determines it: find out why they differ",
			FormatValue(r.Now.worst(unit), r.Unit))
		return
	}
	if r.Now.varies() {
		r.Note = "the run's samples differ among themselves, though a seed determines them: the median is judged"
	}
}

// varies reports whether an exact metric's samples differ among themselves.
func (s *Summary) varies() bool { return *s.Low != *s.High }

// worst is the worst value of an exact metric's sample.
func (s *Summary) worst(unit Unit) float64 {
	if unit.Better > 0 {
		return *s.Low
	}
	return *s.High
}

// worsening is positive where now is worse than old, relative to old; where old
// is zero it is an infinity of that sign.
func worsening(unit Unit, old, now float64) float64 {
	if old == now {
		return 0
	}
	return float64(-unit.Better) * (now - old) / math.Abs(old)
}

// correctHolm fills AdjustedP of each row that was tested.
func correctHolm(rows []JudgedRow, alpha float64) {
	holm(rows, func(r *JudgedRow) bool { return smallestP(r.Baseline.N, r.Now.N) < alpha })
}

// holm corrects the p-values of rows, as far as they count.
func holm(rows []JudgedRow, counts func(*JudgedRow) bool) {
	var tested []*JudgedRow
	for i := range rows {
		if r := &rows[i]; r.P != nil && counts(r) {
			tested = append(tested, r)
		}
	}
	slices.SortStableFunc(tested, func(a, b *JudgedRow) int { return compareFloats(*a.P, *b.P) })
	largest := 0.0
	for i, r := range tested {
		largest = max(largest, min(1, *r.P*float64(len(tested)-i)))
		adjusted := largest
		r.AdjustedP = &adjusted
	}
}

// smallestP is the smallest p-value that the U test can give samples of these
// sizes, when every value of one lies above every value of the other: of the
// C(n1+n2, n1) equally likely orders, the two extreme ones.
func smallestP(n1, n2 int) float64 {
	orders := 1.0
	for i := 1; i <= n1; i++ {
		orders *= float64(n2+i) / float64(i)
	}
	return min(1, 2/orders)
}

// decide judges a row that was tested.
func (r *JudgedRow) decide(c Conditions) {
	if r.P == nil {
		return
	}
	if r.AdjustedP == nil {
		r.Verdict = Inconclusive
		r.Note = fmt.Sprintf("%d and %d samples are too few to tell a change from noise: repeat more often", r.Baseline.N, r.Now.N)
		return
	}
	unit, _ := LookupUnit(r.Unit)
	worse := worsening(unit, r.Baseline.Median, r.Now.Median)
	switch {
	case math.Abs(worse) <= tolerance(unit, c.Pace) || math.Abs(r.Now.Median-r.Baseline.Median) <= unit.Slack:
		r.Verdict = Pass
	case *r.AdjustedP < c.Alpha && worse > 0:
		r.Verdict = Regressed
	case *r.AdjustedP < c.Alpha:
		r.Verdict = Improved
	case *r.P < c.Alpha && worse > 0:
		r.Verdict = Inconclusive
		r.Note = fmt.Sprintf("worse beyond the tolerance, but among so many metrics it may be chance (corrected p=%.3f): repeat more often", *r.AdjustedP)
	default:
		r.Verdict = Pass
		r.Note = "beyond the tolerance, but not told from noise"
	}
	if unit.Exact && r.Note == "" {
		r.Note = "the baseline's samples differ among themselves, so timing decides it as well as the seed: it is tested, not compared exactly"
	}
}

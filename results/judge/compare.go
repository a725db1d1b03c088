package judge

import (
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// conditions holds what decides which rows may be judged, and how.
type conditions struct {
	SameMachine  bool // so times, rates, processor time and memory may be judged
	SameWorkload bool // otherwise nothing is judged

	Drift       float64               // time of the reference benchmark now, divided by that of the baseline; 0 if unknown
	Others      *results.Interference // what others used of the machine; nil if it wasn't too much
	Invalid     []Reason              // why the run is invalid; if there are any, nothing is judged
	Repetitions int                   // completed by the run; 0 if unknown

	PortableOnly bool           // only portable metrics are judged
	Strict       bool           // each metric of the baseline without a verdict is inconclusive
	Better       map[string]int // direction of metrics that package results doesn't know
	Tolerances   results.Tolerances
	OwnUnits     bool     // metrics without a direction are judged too, and inconclusive if they changed
	Outcome      *outcome // what became of the run's devices; nil if that isn't judged

	// WholeAllocations says that allocs/op are rounded to whole numbers, as the testing package
	// does. If the samples of each side are all the same, a difference of one isn't noise.
	WholeAllocations bool
}

// compare compares the records of a run with a baseline, which may be nil.
//
// Rows are paired by scenario, operation and metric, whatever the GOMAXPROCS in the benchmark's
// name: another GOMAXPROCS is another machine, and c says so. Each row is judged by its metric's
// [results.Unit]:
//
//   - A metric or operation that the baseline has and the run lacks is regressed. Processor time
//     and memory, which some systems can't measure, are regressed only on the baseline's machine.
//   - An exact metric is judged by its median, without a test: any worsening is regressed, any
//     improvement improved. If some repetition was worse than all of the baseline's, and the median
//     hides it, it is inconclusive. If the baseline's own samples differ, timing determines the
//     metric too, and it is tested like the others.
//   - Every other metric is tested with the Mann-Whitney U test, as in benchstat, and the p-values
//     are corrected by Holm's method. It is regressed, or improved, if the corrected p is below
//     alpha and the median moved by more than the metric's tolerance and its slack.
//   - It is inconclusive if the samples are too few for any p below alpha, or if it got worse
//     beyond its tolerance, with a p below alpha that isn't below alpha once it is corrected.
//   - If every metric must have a verdict, one that was tested passes only if it can't be worse by
//     twice its tolerance: a change of that size is missed with a chance of 2%. Otherwise it is
//     inconclusive.
//   - It is also inconclusive if it would be regressed or improved, but something else used the
//     machine at the time and the metric depends on that; if it is exact and would pass, but some
//     of the run's repetitions lack it; and if a sample of it is zero, though what it measures
//     can't be.
func compare(base *baseline.Scenario, now []results.Record, c conditions) *Judgement {
	j := &Judgement{Alpha: alpha, HasBaseline: base != nil && len(base.Records) > 0}
	var old []results.Record
	if j.HasBaseline {
		old = base.Records
	}
	c.Invalid = append(slices.Clip(c.Invalid), damaged(SideNow, now)...)
	c.Invalid = append(c.Invalid, damaged(SideBase, old)...)
	if len(now) == 0 && !j.HasBaseline {
		c.Invalid = append(c.Invalid, Reason{Code: NoSamples})
	}
	pairs := pairSamples(old, now)
	for _, p := range pairs {
		j.Rows = append(j.Rows, p.row(j.HasBaseline, c))
	}
	if len(c.Invalid) > 0 {
		for i := range j.Rows {
			j.Rows[i].Verdict, j.Rows[i].Reason = "", Reason{Code: RunInvalid}
		}
		j.Compared, j.Reasons = results.Invalid, c.Invalid
		return j
	}
	correct(j.Rows)
	for i := range j.Rows {
		j.Rows[i].decide(pairs[i].bound, c)
		j.Rows[i].downgrade(c)
	}
	c.judgeOwn(j.Rows, pairs)
	if j.HasBaseline {
		j.Rows = append(j.Rows, c.deviceRows(base, now)...)
	}
	if c.Strict {
		for i := range j.Rows {
			j.Rows[i].requireVerdict(c)
		}
	}
	j.overall(c)
	return j
}

// damaged returns a reason for each record that isn't valid, such as one with NaN or without a
// name.
func damaged(side Side, records []results.Record) (reasons []Reason) {
	for _, r := range records {
		if err := r.Validate(); err != nil {
			reasons = append(reasons, Reason{Code: DamagedSample, Side: side, Text: err.Error()})
		}
	}
	return reasons
}

// rowSamples holds the two samples of a row. Either may be empty.
type rowSamples struct {
	key        RowKey
	old, now   []float64
	operations int64  // of the repetition of now that had the fewest
	bound      *bound // how much worse it may be; nil unless a pass depends on it
}

// pairSamples returns the samples of each row. Scenarios and operations are in the order in which
// they first appear, those of the run before those that only the baseline has; metrics are in the
// order of [results.Units].
func pairSamples(old, now []results.Record) []*rowSamples {
	type operation struct{ scenario, op string }
	found := make(map[RowKey]*rowSamples)
	order := make(map[operation]int)
	var pairs []*rowSamples
	collect := func(records []results.Record, side func(*rowSamples) *[]float64) {
		for _, r := range records {
			o := operation{r.Scenario, r.Op}
			if _, ok := order[o]; !ok {
				order[o] = len(order)
			}
			for _, v := range r.Values {
				k := RowKey{r.Scenario, r.Op, v.Unit}
				p := found[k]
				if p == nil {
					p = &rowSamples{key: k}
					found[k] = p
					pairs = append(pairs, p)
				}
				values := side(p)
				if n := r.Operations(v.Unit); values == &p.now && (len(p.now) == 0 || n < p.operations) {
					p.operations = n
				}
				*values = append(*values, v.Value)
			}
		}
	}
	collect(now, func(p *rowSamples) *[]float64 { return &p.now })
	collect(old, func(p *rowSamples) *[]float64 { return &p.old })
	slices.SortStableFunc(pairs, func(a, b *rowSamples) int {
		if d := order[operation{a.key.Scenario, a.key.Op}] - order[operation{b.key.Scenario, b.key.Op}]; d != 0 {
			return d
		}
		if d := results.UnitOrder(a.key.Unit) - results.UnitOrder(b.key.Unit); d != 0 {
			return d
		}
		return strings.Compare(a.key.Unit, b.key.Unit)
	})
	return pairs
}

// row returns the row of both samples. It tests the row if it may be judged.
func (p *rowSamples) row(hasBaseline bool, c conditions) Row {
	unit, known := results.LookupUnit(p.key.Unit)
	unit = c.Tolerances.Apply(unit)
	impossible := p.impossibleValue(unit)
	r := Row{
		Scenario: p.key.Scenario, Op: p.key.Op, Unit: unit,
		Base: results.Summarize(p.old, unit.Exact), Now: results.Summarize(p.now, unit.Exact),
	}
	r.Unit.Name = p.key.Unit // as it was recorded
	if len(p.now) > 0 && p.operations < results.WantedOperations(p.key.Unit) {
		r.Few = p.operations
	}
	if r.Base != nil && r.Now != nil {
		r.Delta = results.RelativeChange(r.Base.Median, r.Now.Median)
	}
	switch {
	case !hasBaseline || len(c.Invalid) > 0:
	case !c.SameWorkload:
		r.Reason.Code = OtherWorkload
	case known && !unit.Judged():
		r.Reason.Code = ShownOnly
	case r.Now == nil && !c.SameMachine && (unit.Class == results.ClassCPU || unit.Class == results.ClassMemory):
		r.Reason.Code = OtherMachine
	case r.Now == nil:
		r.Verdict, r.Reason.Code = results.Regressed, Missing
	case r.Base == nil:
		r.Reason.Code = NotInBaseline
	case !known:
		r.Reason.Code = UnknownMetric
	case impossible.Code != "":
		r.Verdict, r.Reason = results.Inconclusive, impossible
	case !unit.Class.Portable() && c.PortableOnly:
		r.Reason.Code = NotPortable
	case !unit.Class.Portable() && !c.SameMachine:
		r.Reason.Code = OtherMachine
	case drifted(c.Drift) && unit.Class.FollowsSpeed():
		r.Reason = Reason{Code: MachineDrift, Value: c.Drift}
	case unit.Exact && !r.Base.Differs(),
		c.WholeAllocations && unit.Quantity == results.Objects && !stats.Differ(p.old) && !stats.Differ(p.now):
		r.Base, r.Now = results.Summarize(p.old, true), results.Summarize(p.now, true)
		r.decideExact()
	default:
		if c.Strict {
			p.bound = newBound(p.old, p.now, unit)
		}
		r.P = compareP(p.old, p.now)
	}
	return r
}

// compareP returns the p-value of the Mann-Whitney U test. It may sort both samples.
func compareP(old, now []float64) *float64 {
	thresholds := benchmath.Thresholds{CompareAlpha: alpha}
	test := benchmath.AssumeNothing.Compare(benchmath.NewSample(old, &thresholds), benchmath.NewSample(now, &thresholds))
	p := min(1, test.P) // twice the tail of a discrete distribution can exceed 1
	return &p
}

// impossibleValue looks for a sample that can't be a measurement: one below zero, or a zero of a
// metric that is never zero. The metric wasn't measured then, and the value must not pass for the
// best possible one. It returns the zero Reason if there is none.
func (p *rowSamples) impossibleValue(unit results.Unit) Reason {
	impossible := func(v float64) bool { return v < 0 || v == 0 && !unit.MayBeZero }
	if i := slices.IndexFunc(p.now, impossible); i >= 0 {
		return Reason{Code: ImpossibleValue, Side: SideNow, Value: p.now[i]}
	}
	if i := slices.IndexFunc(p.old, impossible); i >= 0 {
		return Reason{Code: ImpossibleValue, Side: SideBase, Value: p.old[i]}
	}
	return Reason{}
}

// correct sets AdjustedP of each row that was tested, if its samples suffice for a p below alpha.
func correct(rows []Row) {
	var tested []*Row
	var p []float64
	for i := range rows {
		if r := &rows[i]; r.P != nil && stats.SmallestU(r.Base.N, r.Now.N) < alpha {
			tested, p = append(tested, r), append(p, *r.P)
		}
	}
	for i, corrected := range stats.Holm(p, nil) {
		tested[i].AdjustedP = &corrected
	}
}

// maxMachineDrift is the largest change of the machine's speed at which its times are compared with
// older ones. It is well within the tolerances of times, and beyond the noise of the reference
// benchmark, which is a few percent.
const maxMachineDrift = 0.15

// machineDrift returns the time of the reference benchmark now, divided by its time before. It
// returns 0 if either side has none.
func machineDrift(before, now *results.ReferenceSpeed) float64 {
	if before == nil || now == nil || !(before.RoundTripNS > 0) || !(now.RoundTripNS > 0) {
		return 0
	}
	return now.RoundTripNS / before.RoundTripNS
}

// drifted reports whether the machine's speed changed by more than maxMachineDrift.
func drifted(drift float64) bool {
	return drift > 1+maxMachineDrift || drift > 0 && drift < 1/(1+maxMachineDrift)
}

// effectiveTolerance returns a metric's tolerance, widened by the machine's drift. A tolerance of
// 0.25 on a machine that takes 1.1 times as long lets a time grow by 1.25×1.1−1 = 0.375, and a rate
// shrink by 1−0.75/1.1 = 0.32.
func effectiveTolerance(u results.Unit, drift float64) float64 {
	if u.Exact {
		return u.InexactTolerance // an exact metric is tested only if its samples differ
	}
	if !u.Class.FollowsSpeed() || !(drift > 0) {
		return u.Tolerance
	}
	by := max(drift, 1/drift)
	if u.Better > 0 {
		return 1 - (1-u.Tolerance)/by
	}
	return (1+u.Tolerance)*by - 1
}

package judge

import (
	"math"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// decideExact judges a row by its medians, without a test.
func (r *Row) decideExact() {
	worse, someWorse := r.Unit.CompareExact(r.Base, r.Now)
	switch {
	case someWorse:
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: SomeWorse, Value: r.Now.Worst(r.Unit)}
		return
	case worse > 0:
		r.Verdict = results.Regressed
	case worse < 0:
		r.Verdict = results.Improved
	default:
		r.Verdict = results.Pass
	}
	if r.Now.Differs() {
		r.Reason = Reason{Code: SamplesDiffer}
	}
}

// decide judges a row that was tested. If b isn't nil, the row passes only if it can't be too much
// worse.
func (r *Row) decide(b *bound, c conditions) {
	if r.P == nil {
		return
	}
	if r.AdjustedP == nil {
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: TooFewSamples}
		return
	}
	worse := r.Unit.Worsening(r.Base.Median, r.Now.Median)
	allowed := max(effectiveTolerance(r.Unit, c.Drift)*math.Abs(r.Base.Median), r.Unit.Slack)
	untold := b.mayBeWorse(r, allowed)
	switch {
	case math.Abs(r.Now.Median-r.Base.Median) <= allowed && untold.Code == "":
		r.Verdict = results.Pass
	case math.Abs(r.Now.Median-r.Base.Median) <= allowed:
		r.Verdict, r.Reason = results.Inconclusive, untold
	case *r.AdjustedP < alpha && worse > 0:
		r.Verdict = results.Regressed
	case *r.AdjustedP < alpha:
		r.Verdict = results.Improved
	case *r.P < alpha && worse > 0:
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: MaybeChance}
	case untold.Code != "":
		r.Verdict, r.Reason = results.Inconclusive, untold
	default:
		r.Verdict, r.Reason = results.Pass, Reason{Code: WithinNoise}
	}
	if r.Unit.Exact && r.Reason.Code == "" {
		r.Reason = Reason{Code: BaselineDiffers}
	}
}

// downgrade makes the row inconclusive if the conditions of the run don't support its verdict.
func (r *Row) downgrade(c conditions) {
	if _, known := results.LookupUnit(r.Unit.Name); !known || r.Now == nil {
		return
	}
	// What else ran on the machine may have caused the change.
	changed := r.Verdict == results.Regressed || r.Verdict == results.Improved
	if changed && c.Others != nil && !r.Unit.Class.Portable() {
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: Interfered, Others: c.Others}
	}
	// A repetition in which every device failed has no record, and so its failures aren't in the
	// row.
	good := r.Verdict == results.Pass || r.Verdict == results.Improved
	if good && r.Unit.Exact && r.Now.N < c.Repetitions {
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: MeasuredInSome, N: r.Now.N, Of: c.Repetitions}
	}
}

// requireVerdict makes the row inconclusive if its metric must have a verdict and has none.
func (r *Row) requireVerdict(c conditions) {
	switch {
	case r.Verdict != "" || r.Base == nil:
	case r.Reason.Code == ShownOnly, r.Reason.Code == NotPortable:
	case r.Reason.Code == OtherMachine && c.PortableOnly && !r.Unit.Class.Portable():
	default:
		r.Verdict = results.Inconclusive
	}
}

// A bound says how much worse now may be than the baseline, in the metric's own unit.
type bound struct {
	shift float64 // how much worse now is; negative if it is better
	worst float64 // how much worse it may be; infinite if the samples are too few for a bound
}

// missRate is the chance that a change of twice the tolerance is missed.
const missRate = 0.02

// newBound returns a bound of how much worse now may be.
func newBound(old, now []float64, unit results.Unit) *bound {
	if unit.Better > 0 { // less is worse
		old, now = now, old
	}
	var b bound
	b.shift, b.worst = stats.ShiftBound(old, now, missRate)
	if unit.Exact { // the shift of a count that seldom differs is 0, and so is its bound, whatever the mean
		b.worst = max(b.worst, stats.MeanShiftBound(old, now, missRate))
	}
	return &b
}

// mayBeWorse returns why a row whose change isn't significant can't pass. It returns the zero
// Reason if it can: a change by twice what is allowed would have been found.
func (b *bound) mayBeWorse(r *Row, allowed float64) Reason {
	limit := 2 * allowed
	if b == nil || b.worst < limit {
		return Reason{}
	}
	return Reason{Code: MayBeWorse, Value: b.worst, Bound: limit, N: b.repetitions(min(r.Base.N, r.Now.N), limit)}
}

// maxRepetitions is the largest number of repetitions that a reason asks for.
const maxRepetitions = 10_000

// repetitions returns about how many repetitions of either side it would take to decide, if n
// didn't suffice. The distance between the shift and its bound shrinks with the square root of
// their number. It returns 0 if no number can be given.
func (b *bound) repetitions(n int, limit float64) int {
	room := limit - b.shift
	if b.shift >= limit { // more repetitions would show that it is worse
		room = b.shift
	}
	spread := b.worst - b.shift
	if math.IsInf(spread, 0) || spread <= 0 || room <= 0 {
		return 0
	}
	wanted := math.Ceil(float64(n) * (spread / room) * (spread / room))
	if wanted > maxRepetitions {
		return 0
	}
	return max(n+1, int(wanted))
}

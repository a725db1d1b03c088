package judge

import (
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// Sequential judges two sides that took turns. If nothing could be judged, the verdict is
// inconclusive. If invalid says why the pairs can't be believed, the verdict is invalid; r must
// then be what [sequential.Result.Invalidate] returned, or the result of further layouts. The
// explanation of a metric that the caller decided, as with [sequential.Test.Decide], must be a
// Reason.
func Sequential(r sequential.Result, invalid []Reason) *Judgement {
	j := &Judgement{Alpha: r.Alpha, HasBaseline: true}
	for _, m := range r.Metrics {
		row := Row{
			Scenario: m.Scenario, Op: m.Op, Unit: m.Unit.Unit, Base: m.Base, Now: m.Now,
			Delta: m.Delta, P: m.P, AdjustedP: m.AdjustedP, Ratio: m.Ratio, Verdict: verdictOf(m.Decision), Reason: reasonOf(m),
		}
		j.Rows = append(j.Rows, row)
	}
	j.overall(conditions{SameMachine: true, SameWorkload: true})
	switch {
	case len(invalid) > 0:
		j.Compared, j.Reasons = results.Invalid, invalid
	case r.Unmeasured:
		j.Compared, j.Reasons = results.Invalid, []Reason{{Code: NothingMeasured}}
	}
	if j.Verdict = j.Compared; j.Verdict == "" {
		j.Verdict = results.Inconclusive
	}
	return j
}

// verdictOf returns the verdict for a decision, or "" for an open one.
func verdictOf(d sequential.Decision) results.Verdict {
	switch d {
	case sequential.Unchanged:
		return results.Pass
	case sequential.Better:
		return results.Improved
	case sequential.Worse:
		return results.Regressed
	case sequential.Unclear:
		return results.Inconclusive
	}
	return ""
}

// reasonOf returns why a metric was decided as it was.
func reasonOf(m sequential.Metric) Reason {
	switch m.Cause {
	case sequential.Undecided:
		r := Reason{Code: Undecided, Of: sequential.MaxPairs}
		if m.Ratio != nil {
			r.N = m.Ratio.Pairs
		}
		return r
	case sequential.NotInBase:
		return Reason{Code: NotInBase}
	case sequential.Missing:
		return Reason{Code: Missing}
	case sequential.IncompleteBlocks:
		return Reason{Code: IncompleteBlocks}
	case sequential.SomeWorse:
		return Reason{Code: SomeWorse, Value: m.Now.Worst(m.Unit.Unit)}
	case sequential.SamplesDiffer:
		return Reason{Code: SamplesDiffer}
	case sequential.TimingDetermines:
		return Reason{Code: TimingDetermines}
	case sequential.Unsteady:
		return Reason{Code: Unsteady}
	case sequential.Undirected:
		return Reason{Code: UndirectedInTurns, Text: m.Unit.Undirected}
	case sequential.Passed:
		return Reason{Code: PassedAfter, N: m.PassedAfter}
	case sequential.Invalidated:
		return Reason{Code: SidesInvalid}
	case sequential.Reported:
		given, _ := m.Given.(Reason)
		return given
	case sequential.DecidedAcrossLayouts:
		return Reason{Code: AcrossLayouts, N: m.Layouts, Change: m.FirstDelta}
	case sequential.LayoutAlone:
		return Reason{Code: LayoutAlone, N: m.Layouts, Change: m.FirstDelta}
	case sequential.OpenAcrossLayouts:
		return Reason{Code: OpenAcrossLayouts, N: m.Layouts, Of: sequential.MaxLayouts, Change: m.FirstDelta}
	case sequential.NotInLayouts:
		return Reason{Code: NotInOtherLayouts}
	}
	return Reason{}
}

// Unfinished returns the judgement of two sides of which one failed, for the given reason, and
// can't be measured any more. Earlier decisions stay, except for metrics for which keep returns
// false. A failure of now is a regression, since the base did the same work; a failure of the base
// is inconclusive.
func Unfinished(r sequential.Result, failed Reason, keep func(sequential.Key) bool) *Judgement {
	j := Sequential(r, nil)
	for i := range j.Rows {
		row := &j.Rows[i]
		if row.Verdict == results.Inconclusive || !keep(sequential.Key(row.Key())) {
			row.Verdict, row.Reason = "", Reason{Code: DriverFailed}
		}
	}
	j.Compared, j.Reasons = results.Inconclusive, []Reason{failed}
	if failed.Side == SideNow {
		j.Compared = results.Regressed
	}
	j.Verdict = j.Compared
	return j
}

// Identical returns the judgement of two sides that can't differ. why is IdenticalDrivers or
// IdenticalFiles.
func Identical(why Code) *Judgement {
	j := rowless(results.Pass, Reason{Code: why})
	j.HasBaseline = true
	return j
}

// NotPossible returns the judgement if nothing could be judged. text says why.
func NotPossible(text string) *Judgement {
	return rowless(results.Invalid, Reason{Code: NotJudged, Text: text})
}

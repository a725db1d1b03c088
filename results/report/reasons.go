package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// Sentence explains a judgement's verdict, without a full stop.
func Sentence(j *judge.Judgement) string {
	failed, undecided := results.ThresholdSummary(j.Thresholds), results.UndecidedSummary(j.Thresholds)
	switch {
	case !j.Explains(judge.ThresholdsFailed) && !j.Explains(judge.ThresholdsUndecided):
		return ComparedSentence(j)
	case !j.Explains(judge.ThresholdsFailed):
		return undecided
	case j.Compared == results.Regressed:
		return failed + "; " + ComparedSentence(j)
	}
	return failed
}

// ComparedSentence explains the verdict of the comparison alone, without a full stop.
func ComparedSentence(j *judge.Judgement) string {
	var sentences []string
	aboutRun := 0 // the number of reasons about the run, which come first
	for _, r := range j.ComparisonReasons() {
		sentences = append(sentences, clause(r, j.Compared))
		if r.AboutRun() {
			aboutRun++
		}
	}
	slices.Sort(sentences[:aboutRun])
	return strings.Join(sentences, "; ")
}

// clause returns a reason in words. If nothing was judged for this reason, and the verdict v is
// inconclusive, the words include advice.
func clause(r judge.Reason, v results.Verdict) string {
	advise := func(short, advice string) string {
		if v == results.Inconclusive {
			return short + advice
		}
		return short
	}
	switch r.Code {
	case judge.NoBaseline:
		return "no baseline to hold the run against"
	case judge.ScenarioNotInBaseline:
		return advise("the baseline doesn't have the scenario "+r.Name, ": `fleetmark baseline --from` takes it up")
	case judge.WorkloadDiffers:
		if v == "" {
			return "the baseline measured another workload, so nothing is judged"
		}
		return "the baseline measured another workload (devices, size, load, seed or artifact differ): " +
			"run what it measured, or measure the baseline anew"
	case judge.NoCommonMetric:
		return "the baseline and the run have no metric in common that can be judged"
	case judge.WithinTolerance:
		return plaintext.Count(r.N, "metric") + " judged, none beyond its tolerance"
	case judge.WorstRow:
		text := rowClause(*r.Row)
		if r.N > 0 {
			text += ", and " + plaintext.Count(r.N, "other metric")
		}
		return text
	case judge.RowsUnjudged:
		return plaintext.Count(r.N, "metric") + " not judged" + unjudgedCause(r)
	case judge.RunInterrupted:
		return advise("the run was interrupted", ": run it again")
	case judge.RunUnfinished:
		return advise("the run never ended", ", or goes on: run it again")
	case judge.RunFailed:
		return advise("the run failed", ": run it again")
	case judge.NoSamples:
		return advise("the run holds no samples", ": no operation of it succeeded")
	case judge.RunMissing:
		return "the baseline has it, and no run of it was given"
	case judge.ScenarioUnknown:
		return "neither the baseline nor a run has it"
	}
	return invalidClause(r)
}

// invalidClause returns in words why a run or a comparison is invalid, or couldn't be judged.
func invalidClause(r judge.Reason) string {
	switch r.Code {
	case judge.InvalidWithoutReason:
		return "the run is marked invalid, without a reason"
	case judge.ValidYetExplained:
		return "the run calls itself valid, and says why it isn't"
	case judge.FleetSaturated:
		return "the fleet was the bottleneck"
	case judge.HarnessSaturated:
		return "the harness was the bottleneck"
	case judge.DevicesLost:
		return plaintext.Count(r.N, "device") + " lost: the client claims updates that the ledger denies"
	case judge.AppliedTwice:
		return plaintext.Count(r.N, "device") + " applied an update twice"
	case judge.DamagedSample:
		holder := "the run"
		if r.Side == judge.SideBase {
			holder = "the baseline"
		}
		return fmt.Sprintf("%s holds a sample that is no number or has no name (%s)", holder, r.Text)
	case judge.NothingMeasured:
		return "neither side measured anything"
	case judge.IdenticalDrivers:
		return "the drivers of both sides are the same, byte for byte: nothing is to be measured"
	case judge.SideFailed:
		if r.Name != "" {
			return fmt.Sprintf("%s (stacks in %s)", r.Text, r.Name)
		}
		return r.Text
	case judge.PairsDropped:
		return fmt.Sprintf("%d of %d pairs were not to be believed, the last for this: %s", r.N, r.Of, r.Text)
	case judge.LedgerContradicts:
		return fmt.Sprintf("%s: %s", r.Side, r.Text)
	case judge.Invalid, judge.GoTestFailed, judge.NotJudged:
		return r.Text
	}
	return string(r.Code)
}

// rowClause describes the row that decided a verdict.
func rowClause(r judge.Row) string {
	text := r.Op + " " + r.Unit.Name + " "
	switch {
	case r.Now == nil:
		return text + "is missing now"
	case r.Verdict == results.Inconclusive:
		return text + "can't be told: " + Note(r)
	case r.Base != nil:
		text += fmt.Sprintf("went from %s to %s",
			results.FormatValue(r.Base.Median, r.Unit.Name), results.FormatValue(r.Now.Median, r.Unit.Name))
		if r.Delta != nil {
			text += " (" + formatChange(*r.Delta) + ")"
		}
	}
	return text
}

// formatChange formats a relative change, such as "+6.8%". A small change has more digits, since an
// exact metric may change by less than a tenth of a percent.
func formatChange(change float64) string {
	switch {
	case change == 0:
		return "0.0%"
	case change > -0.0005 && change < 0.0005:
		return fmt.Sprintf("%+.4f%%", 100*change)
	}
	return fmt.Sprintf("%+.1f%%", 100*change)
}

// unjudgedCause returns in parentheses why rows weren't judged. It returns "" if there are several
// causes.
func unjudgedCause(r judge.Reason) string {
	switch r.Cause {
	case judge.NotPortable:
		return " (only portable ones were asked for)"
	case judge.OtherMachine:
		return " (the baseline is from another machine)"
	case judge.MachineDrift:
		return " (" + driftClause(r.Value) + ")"
	}
	return ""
}

// GateSentence explains the verdict over several runs, without a full stop.
func GateSentence(g *judge.GateResult) string {
	for _, r := range g.Reasons {
		switch r.Code {
		case judge.NothingToJudge:
			return "there is nothing to judge"
		case judge.AllRunsPass:
			return "each of " + plaintext.Count(r.N, "run") + " is no worse than the baseline"
		case judge.WorstScenario:
			text := r.Name + ": "
			for _, s := range g.Scenarios {
				if s.Scenario == r.Name && s.Judgement.Verdict == g.Verdict {
					text += Sentence(s.Judgement)
					break
				}
			}
			if r.N > 0 {
				text += "; and " + plaintext.Count(r.N, "other") + " like it"
			}
			return text
		}
	}
	return ""
}

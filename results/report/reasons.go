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

// clause returns a reason in words. If the verdict v is inconclusive because of a reason that the
// user can remove, the words include advice.
func clause(r judge.Reason, v results.Verdict) string {
	words := map[judge.Code][2]string{ // with advice
		judge.NoBaseline: {"no baseline to hold the run against"},
		judge.ScenarioNotInBaseline: {
			"the baseline doesn't have the scenario " + r.Name, ": `fleetmark baseline --from` takes it up",
		},
		judge.NoCommonMetric:       {"the baseline and the run have no metric in common that can be judged"},
		judge.RunInterrupted:       {"the run was interrupted", ": run it again"},
		judge.RunUnfinished:        {"the run never ended", ", or goes on: run it again"},
		judge.RunFailed:            {"the run failed", ": run it again"},
		judge.RunAborted:           {results.EndedEarly},
		judge.NoSamples:            {"the run holds no samples", ": no operation of it succeeded"},
		judge.RunMissing:           {"the baseline has it, and no run of it was given"},
		judge.ScenarioUnknown:      {"neither the baseline nor a run has it"},
		judge.InvalidWithoutReason: {"the run is marked invalid, without a reason"},
		judge.ValidYetExplained:    {"the run calls itself valid, and says why it isn't"},
		judge.FleetSaturated:       {"the fleet was the bottleneck"},
		judge.HarnessSaturated:     {"the harness was the bottleneck"},
		judge.NothingMeasured:      {"neither side measured anything"},
		judge.IdenticalDrivers: {
			"the drivers of both sides are the same, byte for byte: nothing is to be measured",
		},
		judge.IdenticalFiles: {
			"the client's command and the files of both sides are the same: nothing is to be measured",
		},
		judge.WithinTolerance: {plaintext.Count(r.N, "metric") + " judged, none beyond its tolerance"},
		judge.RowsUnjudged:    {plaintext.Count(r.N, "metric") + " not judged" + unjudgedCause(r)},
		judge.DevicesLost: {
			plaintext.Count(r.N, "device") + " lost: the client claims updates that the ledger denies",
		},
		judge.AppliedTwice:      {plaintext.Count(r.N, "device") + " applied an update twice"},
		judge.LedgerContradicts: {fmt.Sprintf("%s: %s", r.Side, r.Text)},
		judge.Invalid:           {r.Text},
		judge.GoTestFailed:      {r.Text},
		judge.NotJudged:         {r.Text},
	}
	if found, ok := words[r.Code]; ok && v == results.Inconclusive {
		return found[0] + found[1]
	} else if ok {
		return found[0]
	}
	switch r.Code {
	case judge.WorkloadDiffers:
		if v == "" {
			return "the baseline measured another workload, so nothing is judged"
		}
		return "the baseline measured another workload (devices, size, load, seed or artifact differ): " +
			"run what it measured, or measure the baseline anew"
	case judge.WorstRow:
		text := rowClause(*r.Row)
		if r.N > 0 {
			text += ", and " + plaintext.Count(r.N, "other metric")
		}
		return text
	case judge.DamagedSample:
		holder := "the run"
		if r.Side == judge.SideBase {
			holder = "the baseline"
		}
		return fmt.Sprintf("%s holds a sample that is no number or has no name (%s)", holder, r.Text)
	case judge.SideFailed:
		if r.Name != "" {
			return fmt.Sprintf("%s (stacks in %s)", r.Text, r.Name)
		}
		return r.Text
	case judge.PairsDropped:
		return fmt.Sprintf("%d of %d pairs were dropped; the last one: %s", r.N, r.Of, r.Text)
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
	return map[judge.Code]string{
		judge.NotPortable:  " (only portable ones were asked for)",
		judge.OtherMachine: " (the baseline is from another machine)",
		judge.MachineDrift: " (" + driftClause(r.Value) + ")",
	}[r.Cause]
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

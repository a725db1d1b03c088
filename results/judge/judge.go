package judge

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// alpha is the family-wise error rate of the tests of all rows of a run.
const alpha = 0.05

// Judge compares a run with the baseline's scenario of the same name. If base is nil, or lacks the
// scenario, the run is compared with nothing, and p decides the verdict.
//
// A run that did not end has no verdict, since it might have got another one by its end. But if it
// says that it is invalid, its verdict is invalid, unless it was interrupted before its first
// repetition. A run that a threshold ended early has regressed.
func Judge(base *baseline.Page, run results.Run, records []results.Record, p Policy) *Judgement {
	c := conditions{
		Repetitions: run.Repetitions, PortableOnly: p.Portable, Strict: p.Unjudged == RequireEveryMetric,
		Better: p.Better, Tolerances: p.Tolerances, Invalid: invalid(run, p),
	}
	if others := run.Harness.Interference; others.Exceeds() {
		c.Others = others
	}
	if p.Outcomes {
		c.Outcome = &outcome{run.Counts, run.Unconfirmed}
	}
	var scenario *baseline.Scenario
	if base != nil {
		scenario, _ = base.Scenario(run.Scenario)
	}
	if scenario != nil {
		c.SameMachine = base.Machine.SameAs(run.Machine)
		c.Drift = machineDrift(scenario.ReferenceSpeed, run.Harness.ReferenceSpeed)
		c.SameWorkload = run.WorkloadDigest != "" && run.WorkloadDigest == scenario.WorkloadDigest
	}
	j := compare(scenario, records, c)
	if base != nil && scenario == nil && j.Compared == "" {
		j.Reasons = []Reason{{Code: ScenarioNotInBaseline, Name: run.Scenario}}
	}
	if p.Unjudged == RequireEveryMetric {
		j.requireVerdict(run, records, scenario != nil, c.SameWorkload)
	} else {
		j.dropUnended(run, records)
	}
	j.conclude(run.Thresholds, p)
	if run.Status == results.StatusAborted && !j.Verdict.WorseThan(results.Inconclusive) {
		j.Verdict = results.Regressed // whatever its thresholds say: it never passes
	}
	return j
}

// conclude sets the overall verdict from the comparison, the thresholds and the policy.
func (j *Judgement) conclude(thresholds []results.ThresholdOutcome, p Policy) {
	j.Verdict, j.Thresholds = j.Compared, thresholds
	failed, undecided := len(results.FailedThresholds(thresholds)), len(results.UndecidedThresholds(thresholds))
	switch {
	case failed > 0 && !j.Verdict.WorseThan(results.Regressed):
		j.Verdict = results.Regressed
		j.Reasons = slices.Insert(j.Reasons, 0, Reason{Code: ThresholdsFailed, N: failed, Of: len(thresholds)})
	case undecided > 0 && results.Inconclusive.WorseThan(j.Verdict):
		j.Verdict = results.Inconclusive
		j.Reasons = slices.Insert(j.Reasons, 0, Reason{Code: ThresholdsUndecided, N: undecided, Of: len(thresholds)})
	}
	if j.Verdict == "" && p.Unjudged != AllowUnjudged {
		j.Verdict = results.Inconclusive
	}
}

// dropUnended removes the verdict of a valid run that did not end, and of any run that was
// interrupted before its first repetition: it measured nothing that could be invalid.
func (j *Judgement) dropUnended(run results.Run, records []results.Record) {
	code := unended(run.Status)
	early := run.Status == results.StatusInterrupted && run.Repetitions == 0
	if code == "" || !run.Valid && !early {
		return
	}
	j.Compared, j.Reasons = "", []Reason{{Code: code}}
	if len(records) == 0 { // rows would say that all of the baseline is missing
		j.HasBaseline, j.Rows = false, nil
	}
}

// requireVerdict makes the comparison inconclusive if it has no verdict, or might have had another
// one at the run's end. known reports whether the baseline has the scenario.
func (j *Judgement) requireVerdict(run results.Run, records []results.Record, known, sameWorkload bool) {
	undecided := func(r Reason) { j.Compared, j.Reasons = results.Inconclusive, []Reason{r} }
	switch code := unended(run.Status); {
	case j.Compared == results.Invalid && !(code == RunAborted && run.Valid && len(records) == 0):
	case code != "":
		undecided(Reason{Code: code})
	case !known:
		undecided(Reason{Code: ScenarioNotInBaseline, Name: run.Scenario})
	case !sameWorkload:
		undecided(Reason{Code: WorkloadDiffers})
	case len(records) == 0:
		undecided(Reason{Code: NoSamples})
	case j.Compared == "":
		j.Compared = results.Inconclusive
	}
}

// unended returns why a run did not end. It returns "" for a finished run.
func unended(status results.Status) Code {
	switch status {
	case results.StatusInterrupted:
		return RunInterrupted
	case results.StatusRunning:
		return RunUnfinished
	case results.StatusFailed:
		return RunFailed
	case results.StatusAborted:
		return RunAborted
	}
	return ""
}

// invalid returns the reasons why a run is invalid. If every metric must have a verdict, it also
// checks a run that calls itself valid.
func invalid(run results.Run, p Policy) (reasons []Reason) {
	if !run.Valid {
		for _, sentence := range run.Invalid {
			reasons = append(reasons, Reason{Code: Invalid, Text: sentence})
		}
		if len(reasons) == 0 {
			reasons = []Reason{{Code: InvalidWithoutReason}}
		}
		return reasons
	}
	if p.Unjudged != RequireEveryMetric {
		return nil
	}
	for _, r := range []struct {
		found  bool
		reason Reason
	}{
		{len(run.Invalid) > 0, Reason{Code: ValidYetExplained}},
		{run.Fleet.Saturated, Reason{Code: FleetSaturated}},
		{run.Harness.Saturated, Reason{Code: HarnessSaturated}},
		{run.Counts.Lost > 0, Reason{Code: DevicesLost, N: run.Counts.Lost}},
		{run.Counts.AppliedTwice > 0, Reason{Code: AppliedTwice, N: run.Counts.AppliedTwice}},
	} {
		if r.found {
			reasons = append(reasons, r.reason)
		}
	}
	return reasons
}

package results

import (
	"cmp"
	"fmt"
	"slices"
)

// GateOptions say what is asked of a gate.
type GateOptions struct {
	// PortableOnly asks for what means the same on any machine: counts, bytes and
	// allocations. Without it times are asked for too, and where they can't be judged the
	// gate is inconclusive.
	PortableOnly bool

	Alpha float64 // the family-wise error rate of a scenario's rows; 0 means 0.05
}

// A Gate is what runs came to that were held against a baseline, so strictly that what
// wasn't judged never passes.
type Gate struct {
	Verdict   Verdict         `json:"verdict"` // the worst of the scenarios'; never empty
	Reason    string          `json:"reason"`  // a sentence
	Scenarios []GatedScenario `json:"scenarios"`
}

// A GatedScenario is one run, or a scenario that no run was given of.
type GatedScenario struct {
	Scenario  string     `json:"scenario"`
	Run       string     `json:"run,omitempty"` // the directory; empty where there is none
	Revision  string     `json:"revision,omitempty"`
	Verdict   Verdict    `json:"verdict"` // never empty
	Reason    string     `json:"reason"`
	Judgement *Judgement `json:"judgement"` // its verdict is this one's; without a run it has no rows

	Thresholds []ThresholdOutcome `json:"thresholds,omitempty"`
}

// HoldGate holds runs against a baseline. wanted are the scenarios that must have been
// run; empty, all of the baseline's.
func HoldGate(base *Baseline, wanted []string, runs []*LoadedRun, o GateOptions) *Gate {
	if len(wanted) == 0 {
		for _, s := range base.Scenarios {
			wanted = append(wanted, s.Name)
		}
	}
	g := &Gate{}
	for _, run := range runs {
		g.Scenarios = append(g.Scenarios, holdRun(base, run, o))
	}
	for _, name := range wanted {
		if slices.ContainsFunc(runs, func(r *LoadedRun) bool { return r.Scenario == name }) {
			continue
		}
		reason := "the baseline has it, and no run of it was given"
		if _, ok := base.Scenario(name); !ok {
			reason = "neither the baseline nor a run has it"
		}
		j := &Judgement{Verdict: Inconclusive, Reason: reason, HasBaseline: true}
		g.Scenarios = append(g.Scenarios, GatedScenario{Scenario: name, Verdict: j.Verdict, Reason: j.Reason, Judgement: j})
	}
	g.conclude()
	return g
}

// conclude draws the verdict of the whole, and says why in one sentence.
func (g *Gate) conclude() {
	if len(g.Scenarios) == 0 {
		g.Verdict, g.Reason = Inconclusive, "there is nothing to judge"
		return
	}
	worst := slices.MaxFunc(g.Scenarios, func(a, b GatedScenario) int { return cmp.Compare(a.Verdict.severity(), b.Verdict.severity()) })
	g.Verdict, g.Reason = worst.Verdict, worst.Scenario+": "+worst.Reason
	alike := 0
	for _, s := range g.Scenarios {
		if s.Verdict == worst.Verdict {
			alike++
		}
	}
	switch {
	case len(g.Scenarios) == 1:
	case alike == len(g.Scenarios) && worst.Verdict == Pass:
		g.Reason = "each of " + plural(len(g.Scenarios), "run") + " is no worse than the baseline"
	case alike > 1:
		g.Reason += fmt.Sprintf("; and %s like it", plural(alike-1, "other"))
	}
}

func holdRun(base *Baseline, run *LoadedRun, o GateOptions) GatedScenario {
	j := gateRun(base, run.Run, run.Records, o)
	s := GatedScenario{Scenario: run.Scenario, Run: run.Path, Revision: run.Revision, Judgement: j, Thresholds: run.Thresholds}
	if failed := ThresholdSummary(run.Thresholds); failed != "" && j.Verdict.severity() <= Regressed.severity() {
		if j.Verdict == Regressed {
			failed += "; " + j.Reason
		}
		j.Verdict, j.Reason = Regressed, failed
	}
	s.Verdict, s.Reason = j.Verdict, j.Reason
	return s
}

// gateRun is JudgeRun for those who must not take the want of a verdict for a pass.
func gateRun(base *Baseline, run Run, records []Record, o GateOptions) *Judgement {
	c := Conditions{
		Disturbed: run.Harness.Interference.Disturbed(), Repetitions: run.Repetitions, Alpha: o.Alpha,
		PortableOnly: o.PortableOnly, Strict: true, Invalid: contradictions(run),
		Outcome: &Outcome{Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly},
	}
	scenario, known := base.Scenario(run.Scenario)
	if known {
		c.SameMachine = base.Machine.SameAs(run.Machine)
		c.Pace = pace(scenario.Yardstick, run.Harness.Yardstick)
		c.SameWorkload = run.WorkloadDigest != "" && run.WorkloadDigest == scenario.WorkloadDigest
	}
	j := Judge(scenario, records, c)
	undecided := func(reason string) *Judgement {
		j.Verdict, j.Reason = Inconclusive, reason
		return j
	}
	partial := map[Status]string{
		StatusInterrupted: "the run was interrupted: run it again",
		StatusRunning:     "the run never ended, or goes on: run it again",
		StatusFailed:      "the run failed: run it again",
	}[run.Status]
	switch {
	case j.Verdict == Invalid:
		return j
	case partial != "":
		return undecided(partial)
	case !known:
		return undecided("the baseline doesn't have the scenario " + run.Scenario + ": `fleetmark baseline --from` takes it up")
	case !c.SameWorkload:
		return undecided("the baseline measured another workload (devices, size, load, seed or artifact differ): run what it measured, or measure the baseline anew")
	case len(records) == 0:
		return undecided("the run holds no samples: no operation of it succeeded")
	case j.Verdict == "":
		return undecided(j.Reason)
	}
	return j
}

// contradictions are why a run is invalid: its own reasons, and those that it shows
// though it calls itself valid.
func contradictions(run Run) []string {
	if !run.Valid {
		if len(run.Invalid) == 0 {
			return []string{"the run is marked invalid, without a reason"}
		}
		return run.Invalid
	}
	var found []string
	for _, c := range []struct {
		is     bool
		reason string
	}{
		{len(run.Invalid) > 0, "the run calls itself valid, and says why it isn't"},
		{run.Fleet.Saturated, "the fleet was the bottleneck"},
		{run.Harness.Saturated, "the harness was the bottleneck"},
		{run.Counts.Lost > 0, fmt.Sprintf("%s lost: the client claims updates that the ledger denies", plural(run.Counts.Lost, "device"))},
		{run.Counts.AppliedTwice > 0, fmt.Sprintf("%s applied an update twice", plural(run.Counts.AppliedTwice, "device"))},
	} {
		if c.is {
			found = append(found, c.reason)
		}
	}
	return found
}

// CheckWhole refuses a run whose files aren't as it left them.
func (l *LoadedRun) CheckWhole() error {
	if l.Unfinished || len(l.Damage) == 0 {
		return nil
	}
	return &InputError{Path: l.Path, Problem: "the run is damaged: " + l.Damage[0], Want: "restore it, or run it again"}
}

package judge

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// A GateResult is the judgement of several runs.
type GateResult struct {
	Verdict   results.Verdict // the worst of the scenarios'; never empty
	Reasons   []Reason        // the judgement of a WorstScenario has further reasons
	Scenarios []ScenarioResult
}

// A ScenarioResult is the judgement of one run, or of a scenario without a run.
type ScenarioResult struct {
	Scenario  string
	Run       string // its directory, or "" if there is none
	Revision  string
	Judgement *Judgement // without a run, it has no rows
}

// Gate combines the judgements of runs, which were made with [RequireEveryMetric]. wanted names the
// scenarios that must have been run; if it is empty, all of the baseline's must. A scenario without
// a run is inconclusive.
func Gate(base *baseline.Page, wanted []string, runs []ScenarioResult) *GateResult {
	if len(wanted) == 0 {
		for _, s := range base.Scenarios {
			wanted = append(wanted, s.Name)
		}
	}
	g := &GateResult{Scenarios: slices.Clone(runs)}
	for _, name := range wanted {
		if slices.ContainsFunc(runs, func(r ScenarioResult) bool { return r.Scenario == name }) {
			continue
		}
		reason := Reason{Code: RunMissing, Name: name}
		if _, ok := base.Scenario(name); !ok {
			reason.Code = ScenarioUnknown
		}
		j := rowless(results.Inconclusive, reason)
		j.HasBaseline = true
		g.Scenarios = append(g.Scenarios, ScenarioResult{Scenario: name, Judgement: j})
	}
	g.overall()
	return g
}

// overall derives the verdict over all scenarios, and its reason.
func (g *GateResult) overall() {
	if len(g.Scenarios) == 0 {
		g.Verdict, g.Reasons = results.Inconclusive, []Reason{{Code: NothingToJudge}}
		return
	}
	worst := g.Scenarios[0]
	for _, s := range g.Scenarios {
		if s.Judgement.Verdict.WorseThan(worst.Judgement.Verdict) {
			worst = s
		}
	}
	g.Verdict = worst.Judgement.Verdict
	alike := 0
	for _, s := range g.Scenarios {
		if s.Judgement.Verdict == g.Verdict {
			alike++
		}
	}
	if n := len(g.Scenarios); n > 1 && alike == n && g.Verdict == results.Pass {
		g.Reasons = []Reason{{Code: AllRunsPass, N: n}}
		return
	}
	g.Reasons = []Reason{{Code: WorstScenario, Name: worst.Scenario, N: alike - 1}}
}

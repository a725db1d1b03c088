package report

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// TestResultFailures checks the line about the repetition in which most operations failed.
func TestResultFailures(t *testing.T) {
	of := func(list ...results.Operations) results.Run {
		return results.Run{Operations: list, Counts: results.Counts{Devices: 1}}
	}
	ops := func(succeeded, failed int64) results.Operations {
		return results.Operations{Started: succeeded + failed, Succeeded: succeeded, Failed: failed}
	}
	for name, c := range map[string]struct {
		run  results.Run
		want string
	}{
		"none":       {of(ops(60, 0)), ""},
		"one device": {of(ops(0, 82_122)), "82,122 of 82,122 operations failed; see run/failures.jsonl"},
		"the worst": {of(ops(58, 2), ops(53, 7), ops(60, 0)),
			"7 of 60 operations failed in the worst repetition; see run/failures.jsonl"},
		"only in a repetition that isn't timed": {results.Run{Operations: []results.Operations{ops(60, 0)},
			Counts: results.Counts{Devices: 60, Failed: 3}},
			"3 of 60 devices failed in the worst repetition; see run/failures.jsonl"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResult(Input{Judgement: &judge.Judgement{}, Now: RunSide(rundir.Loaded{Path: "run", Run: c.run})}, false)
			require.Equal(t, c.want, r.Failures())
		})
	}
}

func TestTerminalWarnsOfInterference(t *testing.T) {
	for share, want := range map[float64]string{
		0.97: "warning: other processes used 97% of all cores meanwhile: times and rates say little\nrun: run\n",
		0.05: "run: run\n",
	} {
		var out bytes.Buffer
		run := results.Run{Harness: results.HarnessHealth{Interference: &results.Interference{OthersFraction: share}}}
		d := New(ModeRun, Input{Judgement: &judge.Judgement{}, Now: RunSide(rundir.Loaded{Path: "run", Run: run})})
		require.NoError(t, Terminal(&out, d, Style{}))
		require.Equal(t, want, out.String())
	}
}

// TestTerminal_controlCharacters checks that no text of a run can control the terminal, neither the
// name of its directory nor what run.json says.
func TestTerminal_controlCharacters(t *testing.T) {
	const evil = "a\x1b]0;title\x07\nb"
	run := rundir.Loaded{Path: evil, Run: results.Run{
		Scenario: evil, Notes: []string{evil}, Invalid: []string{evil}, Revision: evil, Status: results.StatusInterrupted,
		Operations: []results.Operations{{Started: 2, Succeeded: 1, Failed: 1}},
		Thresholds: []results.ThresholdOutcome{{Threshold: evil, Measured: true}, {Threshold: evil, Undecided: evil}},
	}}
	j := &judge.Judgement{Verdict: results.Invalid, Compared: results.Invalid,
		Reasons: []judge.Reason{{Code: judge.Invalid, Text: evil}}}
	in := Input{Scenario: evil, Judgement: j, Now: RunSide(run), Causes: []Cause{{
		Scenario: evil, Dir: evil, FlameErr: errors.New(evil), Explanation: &explain.Explanation{Notes: []string{evil}},
	}}}
	one := New(ModeRun, in)
	gate := &Document{Mode: ModeBaseline, Verdict: results.Regressed, Reason: evil,
		Gate: &GateFacts{Baseline: evil, Revision: evil}}
	gate.Results = []*Result{one.Results[0], {Scenario: evil, Verdict: results.Invalid, Reason: evil}}
	turns := FromABTest(ModeBase, in, ABTest{Summary: []string{evil}, Unexplained: errors.New(evil)})
	page := FromBenchmarkPage(in, GateFacts{Baseline: evil, Command: evil})
	for name, d := range map[string]*Document{"run": one, "gate": gate, "turns": turns, "page": page} {
		var out bytes.Buffer
		require.NoError(t, Terminal(&out, d, Style{}), name)
		require.Contains(t, out.String(), "a\uFFFD]0;title\uFFFD", name)
		require.NotContains(t, out.String(), "\x1b", name)
		require.NotContains(t, out.String(), "\x07", name)
	}
}

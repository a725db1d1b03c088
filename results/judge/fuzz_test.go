package judge_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// FuzzJudge judges two sets of samples by each other. Whatever they hold, each verdict is a known
// one and its reason has words, a run is neither better nor worse than itself, and no metric is
// worse both ways round.
func FuzzJudge(f *testing.F) {
	const push = "BenchmarkScenario/rollout/op=push-2 100 "
	f.Add([]byte(push+"100 ns/op 1 allocs/op\n"+push+"101 ns/op 1 allocs/op\n"), []byte(push+"200 ns/op 2 allocs/op\n"), 2)
	f.Add([]byte(push+"0 ns/op 0 failed/device\n"), []byte(push+"1e300 ns/op 1 failed/device\n"), 1)
	f.Add([]byte(push+"-1 ops/s NaN B/op\n"), []byte(push+"+Inf ops/s 5 B/op\n"), 0)
	f.Add([]byte(push+"7 ns/op\n"+push+"7 ns/op\n"+push+"7 ns/op\n"+push+"7 ns/op\n"),
		[]byte(push+"9 ns/op\n"+push+"9 ns/op\n"+push+"9 ns/op\n"+push+"9 ns/op\n"), 4)
	const other = "BenchmarkScenario/other/op=push-2 100 "
	f.Add([]byte(push+"7 ns/op 0 B/op\n"+other+"7 ns/op\n"), []byte(push+"7 ns/op\n"+other+"7 ns/op 0 B/op\n"), 1)
	verdicts := []results.Verdict{"", results.Pass, results.Improved, results.Regressed, results.Inconclusive,
		results.Invalid}
	f.Fuzz(func(t *testing.T, old, now []byte, repetitions int) {
		before, err := results.ParseSamples(old, "old", 0)
		if err != nil || len(before) > 100 {
			return
		}
		after, err := results.ParseSamples(now, "now", 0)
		if err != nil || len(after) > 100 {
			return
		}
		run := testRun()
		run.Status, run.Repetitions = results.StatusFinished, repetitions
		for _, p := range []judge.Policy{{}, {Unjudged: judge.RequireVerdict},
			{Unjudged: judge.RequireEveryMetric, Outcomes: true}, {Portable: true}} {
			worse := map[judge.RowKey]bool{}
			for i, side := range [][2][]results.Record{{before, after}, {after, before}, {before, before}} {
				base := testBaseline()
				base.Scenarios[0] = *scenarioOf(base, side[0])
				j := judge.Judge(&base, run, side[1], p)
				require.Contains(t, verdicts, j.Verdict)
				require.NotEmpty(t, report.Sentence(j))
				for _, r := range j.Rows {
					require.Contains(t, verdicts, r.Verdict)
					key := judge.RowKey{Scenario: r.Scenario, Op: r.Op, Unit: r.Unit.Name}
					switch {
					case r.Verdict == results.Regressed && i == 0:
						worse[key] = true
					case r.Verdict == results.Regressed && i == 1:
						require.False(t, worse[key], "%v is worse both ways round", key)
					case i == 2:
						require.NotContains(t, []results.Verdict{results.Regressed, results.Improved}, r.Verdict, "%v", key)
					}
				}
			}
		}
	})
}

// scenarioOf returns the page's scenario with the records in place of its own.
func scenarioOf(page baseline.Page, records []results.Record) *baseline.Scenario {
	s := page.Scenarios[0]
	s.Records = slices.Clone(records)
	return &s
}

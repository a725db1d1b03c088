package judge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// TestJudge_mergedRuns checks which runs of several agents may be compared by their times. The run
// is 1.6 times as slow as the baseline.
func TestJudge_mergedRuns(t *testing.T) {
	slower := rolloutRecords(2, 10, 1.6)
	one := testMachine()
	other := one
	other.Identity = "ba9876543210"
	merged := results.MergedMachine
	for name, c := range map[string]struct {
		base, now results.Machine
		judged    bool // times are
	}{
		"one process twice":        {one, one, true},
		"the same agents":          {merged([]results.Machine{one, other}), merged([]results.Machine{other, one}), true},
		"an agent more":            {merged([]results.Machine{one, other}), merged([]results.Machine{one, other, other}), false},
		"another machine":          {merged([]results.Machine{one, one}), merged([]results.Machine{one, other}), false},
		"agents against a process": {one, merged([]results.Machine{one, one}), false},
		"a process against agents": {merged([]results.Machine{one, one}), one, false},
		"a single agent":           {one, merged([]results.Machine{one}), true},
	} {
		t.Run(name, func(t *testing.T) {
			base, run := testBaseline(), testRun()
			base.Machine, run.Machine, run.Status = c.base, c.now, results.StatusFinished
			j := judge.Judge(&base, run, slower, judge.Policy{})
			for _, row := range j.Rows {
				if row.Unit.Name == "ns/op" || row.Unit.Name == "ops/s" {
					require.Equal(t, c.judged, row.Verdict == results.Regressed, row.Unit.Name)
					require.Equal(t, !c.judged, row.Reason.Code == judge.OtherMachine, row.Unit.Name)
				}
				if row.Unit.Name == "allocs/op" {
					require.Equal(t, results.Pass, row.Verdict, "allocations compare anywhere")
				}
			}
			if c.judged {
				require.Equal(t, results.Regressed, j.Verdict)
			} else {
				require.Equal(t, results.Pass, j.Verdict)
				require.Contains(t, report.Sentence(j), "another machine")
			}
			strict := judge.Judge(&base, run, slower, judge.Policy{Unjudged: judge.RequireEveryMetric})
			require.NotEqual(t, results.Pass, strict.Verdict, "a gate doesn't pass what it can't judge")
		})
	}
}

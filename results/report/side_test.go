package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
)

// TestManyScenariosInOneJudgement checks that the forms keep several scenarios of one judgement
// apart.
func TestManyScenariosInOneJudgement(t *testing.T) {
	s := gateInput()
	second := sideRecords("rollout", 1)
	s.Base.Records, s.Now.Records = append(s.Base.Records, second...), append(s.Now.Records, second...)
	s.Judgement = judged(s.Scenario, s.Base.Records, s.Now.Records, true)
	page := htmlPageOf(t, s)
	requireBalanced(t, page)
	for _, scenario := range []string{"throughput", "rollout"} {
		require.Contains(t, page, "Response time by percentile: "+scenario+" push<")
		require.Contains(t, page, scenario+" push ops/s by repetition")
		require.Contains(t, page, "Samples of "+scenario+" push p99-ns/op")
	}
	var b bytes.Buffer
	require.NoError(t, ci.JUnit(&b, documentOf(s)))
	require.Equal(t, 2, strings.Count(b.String(), "<testsuite "))
}

func TestDocumentCombined(t *testing.T) {
	gate, run := gateInput(), testRun()
	run.Records = sideRecords("rollout", 1)
	pass := runInput(run, judged(run.Scenario, run.Records, run.Records, true))
	invalid := testRun()
	invalid.Scenario, invalid.Valid, invalid.Invalid, invalid.Records = "million", false, []string{"the fleet was saturated"}, nil
	one := documentOf(gate)
	require.Same(t, one.Results[0], one.Combined("gate"))

	d := documentOf(pass, gate)
	two := d.Combined("gate")
	require.Equal(t, results.Regressed, two.Verdict)
	require.Equal(t, "throughput: "+report.Sentence(gate.Judgement), two.Reason)
	require.Len(t, two.Rows, 18)
	require.Equal(t, "now", two.Now.Label, "the two labels differ")
	require.Equal(t, gate.Now.Machine, two.Now.Machine)
	page := htmlOf(t, d)
	requireBalanced(t, page)
	require.Contains(t, page, "Samples of rollout push p99-ns/op")
	require.Contains(t, page, "Samples of throughput push p99-ns/op")

	three := documentOf(pass, gate, runInput(invalid, nil))
	require.Equal(t, results.Invalid, three.Combined("gate").Verdict)
	require.Contains(t, htmlOf(t, three), "million is invalid: the fleet was saturated")
	require.Contains(t, htmlOf(t, documentOf()), "there was nothing to judge")
	require.Len(t, pass.Now.Records, 12, "the results aren't changed")
	require.Len(t, d.Results[0].Now.Records, 12, "the results aren't changed")
}

func TestWarningsOfEvidence(t *testing.T) {
	in := gateInput()
	in.Now.Evidence.Warnings = []string{"latency.hlog: not all of it can be shown (line 2)"}
	require.Contains(t, htmlPageOf(t, in), "<li>latency.hlog: not all of it can be shown (line 2)</li>")
}

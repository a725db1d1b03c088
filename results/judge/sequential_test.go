package judge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// turns runs a sequential test of constant values until it is decided.
func turns(t *testing.T, base, now map[string]float64) sequential.Result {
	t.Helper()
	block := func(values map[string]float64) [][]results.Record {
		r := results.Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1}
		for _, u := range results.Units() {
			if v, ok := values[u.Name]; ok {
				r.Values = append(r.Values, results.Value{Unit: u.Name, Value: v})
			}
		}
		return [][]results.Record{{r}}
	}
	test := sequential.New(sequential.Options{})
	for !test.AnalysisDue() {
		require.NoError(t, test.Add(block(base), block(now)))
	}
	r, _ := test.Analyze(true)
	return r
}

func TestSequential(t *testing.T) {
	type values = map[string]float64
	for name, c := range map[string]struct {
		base, now values
		want      results.Verdict
		reason    string
	}{
		"the same": {values{"requests/device": 2, "failed/device": 0},
			values{"requests/device": 2, "failed/device": 0}, results.Pass, "2 metrics judged, none beyond its tolerance"},
		"a request more": {values{"requests/device": 2}, values{"requests/device": 3}, results.Regressed,
			"push requests/device went from 2 to 3 (+50.0%)"},
		"failures": {values{"failed/device": 0}, values{"failed/device": 0.01}, results.Regressed,
			"push failed/device went from 0% to 1% "},
		"missing now": {values{"requests/device": 2, "ns/op": 1}, values{"ns/op": 1}, results.Regressed,
			"push requests/device is missing now"},
		"new": {values{"ns/op": 1}, values{"requests/device": 2, "ns/op": 1}, results.Inconclusive,
			"push requests/device can't be told: the base doesn't have the metric, so there is nothing to compare it with"},
		"nothing": {values{"MB/s": 1}, values{"MB/s": 1}, results.Invalid, "neither side measured anything"},
	} {
		t.Run(name, func(t *testing.T) {
			j := judge.Sequential(turns(t, c.base, c.now), nil)
			require.Equal(t, c.want, j.Verdict)
			require.Contains(t, report.Sentence(j)+" ", c.reason)
		})
	}
	r := turns(t, requestsPerDevice(2), requestsPerDevice(3))
	j := judge.Sequential(r.Invalidate(),
		[]judge.Reason{{Code: judge.LedgerContradicts, Side: judge.SideBase, Text: "it contradicts"},
			{Code: judge.LedgerContradicts, Side: judge.SideNow, Text: "and again"}})
	require.Equal(t, results.Invalid, j.Verdict)
	require.Equal(t, "base: it contradicts; now: and again", report.Sentence(j))
	require.Equal(t, "invalid: no verdict", report.Note(j.Rows[0]))
	require.Empty(t, j.Rows[0].Verdict)
}

func requestsPerDevice(requests float64) map[string]float64 {
	return map[string]float64{"requests/device": requests}
}

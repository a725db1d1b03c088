package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestQuestions: which profiles are asked for, by what regressed.
func TestQuestions(t *testing.T) {
	row := func(scenario, unit string, verdict results.Verdict, ratio float64) results.JudgedRow {
		return results.JudgedRow{Scenario: scenario, Op: "push", Unit: unit, Verdict: verdict, Ratio: &results.PairedRatio{Estimate: ratio}}
	}
	specs := []scenarios.Spec{{Name: "a"}, {Name: "b"}}
	const regressed, pass = results.Regressed, results.Pass
	for name, c := range map[string]struct {
		rows []results.JudgedRow
		want []string
	}{
		"nothing":               {[]results.JudgedRow{row("a", "ns/op", pass, 1)}, nil},
		"more work":             {[]results.JudgedRow{row("a", "ns/op", regressed, 1.08), row("a", "cpu-ns/op", regressed, 1.05)}, []string{"a cpu "}},
		"a wait":                {[]results.JudgedRow{row("a", "ns/op", regressed, 1.08), row("a", "cpu-ns/op", pass, 1.01)}, []string{"a block "}},
		"a wait and some work":  {[]results.JudgedRow{row("a", "ns/op", regressed, 1.5), row("a", "cpu-ns/op", regressed, 1.05)}, []string{"a block ", "a cpu "}},
		"work, not quite known": {[]results.JudgedRow{row("a", "ns/op", regressed, 1.06), row("a", "cpu-ns/op", results.Inconclusive, 1.04)}, []string{"a cpu "}},
		"a rate with its time":  {[]results.JudgedRow{row("a", "ops/s", regressed, 0.9), row("a", "ns/op", regressed, 1.1), row("a", "cpu-ns/op", pass, 1)}, []string{"a block "}},
		"a rate alone":          {[]results.JudgedRow{row("a", "ops/s", regressed, 0.9), row("a", "ns/op", pass, 1)}, []string{"a cpu "}},
		"objects":               {[]results.JudgedRow{row("a", "allocs/op", regressed, 2)}, []string{"a allocs alloc_objects"}},
		"bytes":                 {[]results.JudgedRow{row("a", "B/op", regressed, 2)}, []string{"a allocs "}},
		"requests":              {[]results.JudgedRow{row("b", "requests/device", regressed, 2)}, []string{"b cpu "}},
		"memory":                {[]results.JudgedRow{row("a", "peak-rss-B", regressed, 2)}, nil},
		"the first of a kind":   {[]results.JudgedRow{row("b", "cpu-ns/op", regressed, 2), row("a", "cpu-ns/op", regressed, 2), row("a", "B/op", regressed, 2)}, []string{"b cpu ", "a allocs "}},
		"no such scenario":      {[]results.JudgedRow{row("c", "cpu-ns/op", regressed, 2)}, nil},
		"not by turns":          {[]results.JudgedRow{{Scenario: "a", Op: "push", Unit: "ns/op", Verdict: regressed}}, []string{"a cpu "}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, q := range questions(&results.Judgement{Rows: c.rows}, specs) {
				require.Contains(t, profiles.Kinds(), q.kind)
				got = append(got, q.spec.Name+" "+string(q.kind)+" "+q.sample)
			}
			require.Equal(t, c.want, got)
		})
	}
}

package abtest

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestPlanProfiles checks which profiles are taken for which regressed metrics.
func TestPlanProfiles(t *testing.T) {
	row := func(scenario, unit string, verdict results.Verdict, ratio float64) judge.Row {
		u, _ := results.LookupUnit(unit)
		return judge.Row{Scenario: scenario, Op: "push", Unit: u, Verdict: verdict, Ratio: &sequential.Ratio{Estimate: ratio}}
	}
	notByTurns := row("a", "ns/op", results.Regressed, 1)
	notByTurns.Ratio = nil
	specs := []scenarios.Spec{{Name: "a"}, {Name: "b"}}
	const regressed, pass = results.Regressed, results.Pass
	for name, c := range map[string]struct {
		rows []judge.Row
		want []string
	}{
		"nothing": {[]judge.Row{row("a", "ns/op", pass, 1)}, nil},
		"more work": {[]judge.Row{row("a", "ns/op", regressed, 1.08), row("a", "cpu-ns/op", regressed, 1.05)},
			[]string{"a cpu "}},
		"a wait": {[]judge.Row{row("a", "ns/op", regressed, 1.08), row("a", "cpu-ns/op", pass, 1.01)},
			[]string{"a block "}},
		"a wait and some work": {[]judge.Row{row("a", "ns/op", regressed, 1.5), row("a", "cpu-ns/op", regressed, 1.05)},
			[]string{"a block ", "a cpu "}},
		"work, not quite known": {[]judge.Row{row("a", "ns/op", regressed, 1.06),
			row("a", "cpu-ns/op", results.Inconclusive, 1.04)}, []string{"a cpu "}},
		"a rate with its time": {[]judge.Row{row("a", "ops/s", regressed, 0.9), row("a", "ns/op", regressed, 1.1),
			row("a", "cpu-ns/op", pass, 1)}, []string{"a block "}},
		"a rate alone": {[]judge.Row{row("a", "ops/s", regressed, 0.9), row("a", "ns/op", pass, 1)},
			[]string{"a cpu "}},
		"objects":  {[]judge.Row{row("a", "allocs/op", regressed, 2)}, []string{"a allocs alloc_objects"}},
		"bytes":    {[]judge.Row{row("a", "B/op", regressed, 2)}, []string{"a allocs "}},
		"requests": {[]judge.Row{row("b", "requests/device", regressed, 2)}, []string{"b cpu "}},
		"memory":   {[]judge.Row{row("a", "peak-rss-B", regressed, 2)}, nil},
		"the first of a kind": {[]judge.Row{row("b", "cpu-ns/op", regressed, 2), row("a", "cpu-ns/op", regressed, 2),
			row("a", "B/op", regressed, 2)}, []string{"b cpu ", "a allocs "}},
		"no such scenario": {[]judge.Row{row("c", "cpu-ns/op", regressed, 2)}, nil},
		"not by turns":     {[]judge.Row{notByTurns}, []string{"a cpu "}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, q := range planProfiles(&judge.Judgement{Rows: c.rows}, specs) {
				require.Contains(t, profiles.Kinds(), q.kind)
				got = append(got, q.spec.Name+" "+string(q.kind)+" "+q.sample)
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestDeliveryFunctions checks that waits in the packages below the delivery package count as its
// own, and that waits elsewhere don't.
func TestDeliveryFunctions(t *testing.T) {
	module := path.Dir(deliveryPackage()) + "/" // differs in a renamed copy of the module
	for function, want := range map[string]bool{
		module + "delivery.(*Client).Push":                        true,
		module + "delivery/internal/exchange.(*Trace).Mark":       true,
		module + "delivery/inventory.Read":                        true,
		module + "deliveryreport.Write":                           false,
		module + "scenarios/load.(*client).Push":                  false,
		"example.com/delivery.(*Client).Push":                     false,
		"sync.(*Mutex).Lock":                                      false,
		"example.com/m[" + module + "delivery.Device].(*set).Add": false,
		module + "scenarios/abtest.TestDeliveryFunctions.func1":   false,
	} {
		is := slices.ContainsFunc(deliveryFunctions(),
			func(prefix string) bool { return strings.HasPrefix(function, prefix) })
		require.Equal(t, want, is, "%s", function)
	}
}

// TestWaitsNote checks that there is a note if a time grew by more than the waits that profiles show.
func TestWaitsNote(t *testing.T) {
	for _, row := range []struct {
		waits, extra float64
		says         string
	}{
		{2e3, 10e3, "an operation takes 10.0µs longer, of which these waits are 20%: the rest is work"},
		{-3e3, 10e3, "of which these waits are 0%"},
		{6e3, 10e3, ""}, {0, 0, ""}, {-1e3, 0, ""}, {0, -10e3, ""},
	} {
		note := waitsNote(row.waits, row.extra)
		require.Contains(t, note, row.says)
		require.Equal(t, row.says == "", note == "", "%v of %v: %s", row.waits, row.extra, note)
	}
}

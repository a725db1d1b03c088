package abtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestExplainRegression_unprofiled checks what is said of a client in a process of its own that
// serves no profiles, or those of one process among several.
func TestExplainRegression_unprofiled(t *testing.T) {
	row := func(op, unit string, verdict results.Verdict, base, now float64) judge.Row {
		u, _ := results.LookupUnit(unit)
		return judge.Row{
			Scenario: "own", Op: op, Unit: u, Verdict: verdict, Ratio: &sequential.Ratio{Estimate: now / base},
			Base: &results.Summary{Median: base}, Now: &results.Summary{Median: now},
		}
	}
	const regressed, pass = results.Regressed, results.Pass
	none := "own: no function of push.py can be named, since it serves no profiles: " +
		"{pprof} in client.command tells each process an address for them, if it can; what is known: "
	python := scenarios.ClientSpec{Command: []string{"python3", "push.py"}}
	for name, c := range map[string]struct {
		client scenarios.ClientSpec
		rows   []judge.Row
		want   string
	}{
		"nothing": {python, []judge.Row{row("push", "ns/op", pass, 1e6, 1e6)}, ""},
		"work": {python, []judge.Row{row("push", "ns/op", regressed, 1e6, 2e6), row("push", "p99-ns/op", regressed, 1e6, 2e6),
			row("push", "cpu-ns/op", regressed, 1e6, 1.75e6)},
			none + "push takes 1.00ms longer, of which processor time of its processes is 750µs (75%), and waits are the rest"},
		"waits": {python, []judge.Row{row("push", "ns/op", regressed, 1e6, 2e6), row("push", "cpu-ns/op", pass, 1e6, 0.9e6)},
			none + "push takes 1.00ms longer, none of it processor time of its processes: " +
				"it waits longer, for devices, for another process or asleep"},
		"without processor time": {python, []judge.Row{row("push", "ns/op", regressed, 1e6, 2e6)}, none + "push takes 1.00ms longer"},
		"more work in others than the time": {python, []judge.Row{row("push", "ns/op", regressed, 1e6, 2e6), row("push", "cpu-ns/op", regressed, 1e6, 9e6)},
			none + "push takes 1.00ms longer, of which processor time of its processes is 1.00ms (100%), and waits are the rest"},
		"requests and memory": {python, []judge.Row{row("deliver", "requests/device", regressed, 2, 3), row("deliver", "peak-rss-B", regressed, 10<<20, 20<<20)},
			none + "deliver requests/device: 2 before, 3 now; deliver peak-rss-B: 10.0MiB before, 20.0MiB now"},
		"a percentile alone": {python, []judge.Row{row("push", "p99-ns/op", regressed, 1e6, 2e6)}, none + "push p99-ns/op: 1.00ms before, 2.00ms now"},
		"one address for many": {scenarios.ClientSpec{Command: []string{"./push"}, Pprof: "http://127.0.0.1:1", Processes: 4},
			[]judge.Row{row("push", "ns/op", regressed, 1e6, 2e6)},
			"own: no function of push can be named, since client.pprof is the address of one of 4 processes: " +
				"{pprof} in client.command tells each an address of its own; what is known: push takes 1.00ms longer"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Specs: []scenarios.Spec{{Name: "own", Client: c.client}}}
			causes, err := ExplainRegression(t.Context(), o, &judge.Judgement{Rows: c.rows}, t.TempDir(), func(string) {})
			require.Empty(t, causes)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

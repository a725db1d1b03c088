package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
)

// scatter sets the push times of a side to first, first+200 and so on.
func scatter(records []results.Record, first float64) {
	for i := range records {
		if r := &records[i]; r.Op == "push" {
			r.Values[0].Value = first + 200*float64(r.Repetition-1)
		}
	}
}

// TestGateSaysHowManyRepetitionsWouldTell checks a time whose samples scatter so much that it may
// be worse by more than twice its tolerance of 25%. It doesn't pass, though it is hardly slower.
//
// By hand: the times are 500, 700, … 1500 and 10 more each. Of their 36 differences the largest are
// 1010, 810 twice and 610 three times, and the bound at 2% is the fifth. The shift is 10, so that
// the distance of 600 between the two would have to be 490: 6·(600/490)² are 8.996 repetitions.
func TestGateSaysHowManyRepetitionsWouldTell(t *testing.T) {
	g := newGateFiles()
	g.base.Scenarios[0].Records = copied(g.records)
	scatter(g.base.Scenarios[0].Records, 500)
	scatter(g.records, 510)
	dir := g.write(t)
	const want = "rollout: push ns/op can't be told: it may be worse by 61.0%, and only less than 50.0%, twice the tolerance, " +
		"is a pass: about 9 repetitions of both sides would tell"
	got := fleetmark(t, dir, nil, append([]string{"gate", "--junit", "gate.xml", "--markdown", "gate.md"}, g.args...)...)
	require.Equal(t, cli.ExitInconclusive, got.code, got.stderr)
	require.Contains(t, got.stderr, "fleetmark: inconclusive: "+want)
	require.Contains(t, got.stdout, "about 9 repetitions of both sides would tell")
	require.Contains(t, got.stdout, "gate: inconclusive")
	for _, name := range []string{"gate.xml", "gate.md"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Contains(t, string(text), "about 9 repetitions of both sides would tell", name)
	}
	got = fleetmark(t, dir, nil, append([]string{"gate", "--json"}, g.args...)...)
	require.Equal(t, cli.ExitInconclusive, got.code, got.stderr)
	var o struct{ Verdict, Reason string }
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &o))
	require.Equal(t, "inconclusive", o.Verdict)
	require.Contains(t, o.Reason, want)

	// With --portable, times aren't judged. Nine repetitions that scatter as much are enough.
	got = fleetmark(t, dir, nil, append([]string{"gate", "--portable"}, g.args...)...)
	require.Equal(t, cli.ExitPass, got.code, got.stderr)
	more := newGateFiles()
	for i := range 3 { // the same values, in the middle of the others
		for _, r := range copied(more.records[:2]) {
			r.Repetition = 7 + i
			more.records = append(more.records, r)
		}
	}
	more.run.Repetitions, more.base.Scenarios[0].Repetitions = 9, 9
	more.base.Scenarios[0].Records = copied(more.records)
	for i, v := range []float64{500, 625, 750, 875, 1000, 1125, 1250, 1375, 1500} {
		for _, side := range []struct {
			records []results.Record
			more    float64
		}{{more.base.Scenarios[0].Records, 0}, {more.records, 10}} {
			for k := range side.records {
				if r := &side.records[k]; r.Op == "push" && r.Repetition == i+1 {
					r.Values[0].Value = v + side.more
				}
			}
		}
	}
	got = fleetmark(t, more.write(t), nil, append([]string{"gate"}, more.args...)...)
	require.Equal(t, cli.ExitPass, got.code, got.stderr)
}

// TestGateOfAMetricNobodyKnows checks that an unknown metric is inconclusive, that the gate says
// how to declare it, and that it is judged once it is declared.
func TestGateOfAMetricNobodyKnows(t *testing.T) {
	g := newGateFiles()
	widgets := func(records []results.Record, v float64) {
		for i := range records {
			records[i].Values = append(records[i].Values, results.Value{Unit: "widgets", Value: v})
		}
	}
	g.base.Scenarios[0].Records = copied(g.records)
	widgets(g.base.Scenarios[0].Records, 100)
	widgets(g.records, 120)
	dir := g.write(t)
	gate := func() ended { return fleetmark(t, dir, nil, append([]string{"gate"}, g.args...)...) }
	got := gate()
	require.Equal(t, cli.ExitInconclusive, got.code, got.stderr)
	require.Contains(t, got.stderr, `push widgets can't be told: this fleetmark doesn't know the metric, and nothing says which way is better: `+
		`declare it in fleetmark.yaml, as in units: {"widgets": {better: lower}}`)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/m\n"), 0o600))
	for direction, code := range map[string]int{"lower": cli.ExitRegressed, "higher": cli.ExitPass} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "fleetmark.yaml"),
			[]byte(`units: {"widgets": {better: `+direction+"}}\n"), 0o600))
		got = gate()
		require.Equal(t, code, got.code, got.stderr)
		require.Contains(t, got.stdout, "widgets", direction)
	}
}

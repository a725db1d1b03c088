package sequential

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// benchUnits returns three metrics as a gate of Go benchmarks tests them: a time, a count that is
// compared exactly while it is steady, and a metric without a direction.
func benchUnits(name string) (Unit, bool) {
	switch name {
	case "ns/op":
		return Unit{Unit: results.Unit{Name: name, Better: -1}, Margin: results.Margin{Relative: 0.04}}, true
	case "allocs/op":
		return Unit{Unit: results.Unit{Name: name, Better: -1, Exact: true}, Steady: true,
			Margin: results.Margin{Slack: 0.25, Absolute: true}}, true
	case "probes/op":
		return Unit{Unit: results.Unit{Name: name}, Margin: results.Margin{Relative: 0.05, Absolute: true},
			Undirected: "say which way is better"}, true
	}
	return Unit{}, false
}

// TestRestingOperations checks that an operation isn't measured any more once it is decided, that
// its decision stays, and that the others continue after a regression.
func TestRestingOperations(t *testing.T) {
	p := New(Options{Units: benchUnits, Rest: true})
	random := rand.New(rand.NewPCG(1, 2))
	record := func(op string, ns float64) results.Record {
		return results.Record{Scenario: "example.com/m", Op: op,
			Values: []results.Value{{Unit: "ns/op", Value: ns}, {Unit: "MB/s", Value: 1}}}
	}
	p.Decide(Key{"example.com/m", "Gone", "ns/op"}, Unclear, "it is gone")
	var r Result
	decided, measured := false, map[string]int{}
	for n := 0; n < 200 && !decided; n++ {
		base, now := make([][]results.Record, 2), make([][]results.Record, 2)
		for op, c := range map[string]struct{ slower, noise float64 }{"Slower": {1.2, 0.02}, "Same/size=1": {1, 0.02},
			"Noisy": {1, 0.3}} {
			if p.Resting("example.com/m", op) {
				continue
			}
			measured[op]++
			for i := range 2 {
				base[i] = append(base[i], record(op, noisy(random, 100, c.noise)))
				now[i] = append(now[i], record(op, noisy(random, 100*c.slower, c.noise)))
			}
		}
		require.NoError(t, p.Add(base, now))
		if p.AnalysisDue() || n == 199 {
			r, decided = p.Analyze(n == 199)
		}
	}
	require.Equal(t, Worse, overall(r))
	got := map[string]Metric{}
	for _, m := range r.Metrics {
		got[m.Op] = m
	}
	require.Equal(t, Worse, got["Slower"].Decision)
	require.Equal(t, Unchanged, got["Same/size=1"].Decision)
	require.Equal(t, "it is gone", got["Gone"].Given)
	require.Len(t, r.Metrics, 4)
	require.Equal(t, measured["Slower"], got["Slower"].Ratio.Pairs)
	require.Less(t, measured["Slower"], measured["Noisy"], "it rests once it is decided")
	require.GreaterOrEqual(t, measured["Slower"], 16)
}

func TestExactWhileSteady(t *testing.T) {
	for name, c := range map[string]struct {
		base, now func(i int) float64
		want      Decision
	}{
		"the same":  {func(int) float64 { return 5 }, func(int) float64 { return 5 }, Unchanged},
		"one more":  {func(int) float64 { return 5 }, func(int) float64 { return 6 }, Worse},
		"one less":  {func(int) float64 { return 5 }, func(int) float64 { return 4 }, Better},
		"from none": {func(int) float64 { return 0 }, func(int) float64 { return 1 }, Worse},
		"one more, once in twenty": {func(int) float64 { return 5 },
			func(i int) float64 { return 5 + float64(1-min(1, i%20)) }, Unchanged},
		"one more, mostly": {func(int) float64 { return 5 }, func(i int) float64 { return 5 + float64(min(1, i%20)) }, Worse},
		"the base differs": {func(i int) float64 { return 5 + float64(1-min(1, i%20)) }, func(int) float64 { return 5 },
			Unchanged},
	} {
		p := New(Options{Units: benchUnits, Rest: true})
		for n := range 100 {
			record := func(v float64) []results.Record {
				return []results.Record{{Scenario: "m", Op: "X", Values: []results.Value{{Unit: "allocs/op", Value: v}}}}
			}
			require.NoError(t, p.Add([][]results.Record{record(c.base(2 * n)), record(c.base(2*n + 1))},
				[][]results.Record{record(c.now(2 * n)), record(c.now(2*n + 1))}))
		}
		r, _ := p.Analyze(true)
		require.Len(t, r.Metrics, 1)
		require.Equal(t, c.want, r.Metrics[0].Decision, name)
	}
}

// TestUndirectedMetric checks that a metric without a direction is unclear if it changed, whichever
// way.
func TestUndirectedMetric(t *testing.T) {
	for now, want := range map[float64]Decision{100: Unchanged, 101: Unchanged, 150: Unclear, 50: Unclear} {
		p := New(Options{Units: benchUnits})
		random := rand.New(rand.NewPCG(3, 4))
		for range 60 {
			record := func(v float64) []results.Record {
				return []results.Record{{Scenario: "m", Op: "X",
					Values: []results.Value{{Unit: "probes/op", Value: noisy(random, v, 0.01)}}}}
			}
			require.NoError(t, p.Add([][]results.Record{record(100), record(100)}, [][]results.Record{record(now), record(now)}))
		}
		r, _ := p.Analyze(true)
		require.Equal(t, want, r.Metrics[0].Decision, "%v", now)
		if want == Unclear {
			require.Equal(t, Undirected, r.Metrics[0].Cause)
		}
	}
}

// TestAbandon checks that the samples of an abandoned operation stay, with the decision that the
// caller gave.
func TestAbandon(t *testing.T) {
	p := New(Options{Units: benchUnits, Rest: true})
	record := []results.Record{{Scenario: "m", Op: "X",
		Values: []results.Value{{Unit: "ns/op", Value: 1}, {Unit: "allocs/op", Value: 1}}}}
	require.NoError(t, p.Add([][]results.Record{record, record}, [][]results.Record{record, record}))
	p.Abandon(Key{"m", "X", "ns/op"}, Unclear, "it failed")
	p.Abandon(Key{"m", "Never", "ns/op"}, Unclear, "it failed too")
	require.NoError(t, p.Add([][]results.Record{{}, {}}, [][]results.Record{{}, {}}))
	r, decided := p.Analyze(true)
	require.True(t, decided)
	require.Equal(t, Unclear, overall(r))
	require.Len(t, r.Metrics, 3)
	for i, note := range []string{"it failed", "it failed", "it failed too"} {
		require.Equal(t, note, r.Metrics[i].Given)
	}
	require.Equal(t, 2, r.Metrics[0].Now.N)
}

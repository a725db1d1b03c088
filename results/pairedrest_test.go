package results

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchUnits judge three metrics as a gate of Go benchmarks does: a time, a count that is exact while it
// is steady, and a metric of which nothing says which way is better.
func benchUnits(name string) (PairedUnit, bool) {
	switch name {
	case "ns/op":
		return PairedUnit{Unit: Unit{Name: name, Better: -1}, Test: PairedTolerance{Relative: 0.04}}, true
	case "allocs/op":
		return PairedUnit{Unit: Unit{Name: name, Better: -1, Exact: true}, Steady: true, Test: PairedTolerance{Slack: 0.25, Absolute: true}}, true
	case "probes/op":
		return PairedUnit{Unit: Unit{Name: name}, Test: PairedTolerance{Relative: 0.05, Absolute: true}, Undirected: "say which way is better"}, true
	}
	return PairedUnit{}, false
}

// TestRestingOperations: an operation that is decided is measured no more, its verdict stays, and the
// others go on after a regression.
func TestRestingOperations(t *testing.T) {
	p, err := NewPaired(PairedOptions{Units: benchUnits, Rest: true})
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	record := func(op string, ns float64) Record {
		return Record{Scenario: "example.com/m", Op: op, Values: []Value{{"ns/op", ns}, {"MB/s", 1}}}
	}
	p.Decide(JudgedRow{Scenario: "example.com/m", Op: "Gone", Unit: "ns/op", Verdict: Inconclusive, Note: "it is gone"})
	var j *Judgement
	decided, measured := false, map[string]int{}
	for n := 0; n < 200 && !decided; n++ {
		base, now := make([][]Record, 2), make([][]Record, 2)
		for op, c := range map[string]struct{ slower, noise float64 }{"Slower": {1.2, 0.02}, "Same/size=1": {1, 0.02}, "Noisy": {1, 0.3}} {
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
		if p.Due() || n == 199 {
			j, decided = p.Look(n == 199, nil)
		}
	}
	require.Equal(t, Regressed, j.Verdict)
	got := map[string]JudgedRow{}
	for _, r := range j.Rows {
		got[r.Op] = r
	}
	require.Equal(t, Regressed, got["Slower"].Verdict)
	require.Equal(t, Pass, got["Same/size=1"].Verdict)
	require.Equal(t, "it is gone", got["Gone"].Note)
	require.Len(t, j.Rows, 4)
	require.Equal(t, measured["Slower"], got["Slower"].Ratio.Pairs)
	require.Less(t, measured["Slower"], measured["Noisy"], "it rests once it is decided")
	require.GreaterOrEqual(t, measured["Slower"], 16)
}

func TestExactWhileSteady(t *testing.T) {
	for name, c := range map[string]struct {
		base, now func(i int) float64
		want      Verdict
	}{
		"the same":                 {func(int) float64 { return 5 }, func(int) float64 { return 5 }, Pass},
		"one more":                 {func(int) float64 { return 5 }, func(int) float64 { return 6 }, Regressed},
		"one less":                 {func(int) float64 { return 5 }, func(int) float64 { return 4 }, Improved},
		"from none":                {func(int) float64 { return 0 }, func(int) float64 { return 1 }, Regressed},
		"one more, once in twenty": {func(int) float64 { return 5 }, func(i int) float64 { return 5 + float64(1-min(1, i%20)) }, Pass},
		"one more, mostly":         {func(int) float64 { return 5 }, func(i int) float64 { return 5 + float64(min(1, i%20)) }, Regressed},
		"the base differs":         {func(i int) float64 { return 5 + float64(1-min(1, i%20)) }, func(int) float64 { return 5 }, Pass},
	} {
		p, err := NewPaired(PairedOptions{Units: benchUnits, Rest: true})
		require.NoError(t, err)
		for n := range 100 {
			record := func(v float64) []Record {
				return []Record{{Scenario: "m", Op: "X", Values: []Value{{"allocs/op", v}}}}
			}
			require.NoError(t, p.Add([][]Record{record(c.base(2 * n)), record(c.base(2*n + 1))}, [][]Record{record(c.now(2 * n)), record(c.now(2*n + 1))}))
		}
		j, _ := p.Look(true, nil)
		require.Len(t, j.Rows, 1)
		require.Equal(t, c.want, j.Rows[0].Verdict, "%s: %s", name, j.Rows[0].Note)
	}
}

// TestAMetricWithoutADirection never passes once it moved, whichever way.
func TestAMetricWithoutADirection(t *testing.T) {
	for now, want := range map[float64]Verdict{100: Pass, 101: Pass, 150: Inconclusive, 50: Inconclusive} {
		p, err := NewPaired(PairedOptions{Units: benchUnits})
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(3, 4))
		for range 60 {
			record := func(v float64) []Record {
				return []Record{{Scenario: "m", Op: "X", Values: []Value{{"probes/op", noisy(random, v, 0.01)}}}}
			}
			require.NoError(t, p.Add([][]Record{record(100), record(100)}, [][]Record{record(now), record(now)}))
		}
		j, _ := p.Look(true, nil)
		require.Equal(t, want, j.Rows[0].Verdict, "%v", now)
		if want == Inconclusive {
			require.Equal(t, "say which way is better", j.Rows[0].Note)
		}
	}
}

// TestAbandon: what was measured of an operation stays in its rows, without a verdict of its own.
func TestAbandon(t *testing.T) {
	p, err := NewPaired(PairedOptions{Units: benchUnits, Rest: true})
	require.NoError(t, err)
	record := []Record{{Scenario: "m", Op: "X", Values: []Value{{"ns/op", 1}, {"allocs/op", 1}}}}
	require.NoError(t, p.Add([][]Record{record, record}, [][]Record{record, record}))
	p.Abandon(JudgedRow{Scenario: "m", Op: "X", Unit: "ns/op", Verdict: Inconclusive, Note: "it failed"})
	p.Abandon(JudgedRow{Scenario: "m", Op: "Never", Unit: "ns/op", Verdict: Inconclusive, Note: "it failed too"})
	require.NoError(t, p.Add([][]Record{{}, {}}, [][]Record{{}, {}}))
	j, decided := p.Look(true, nil)
	require.True(t, decided)
	require.Equal(t, Inconclusive, j.Verdict)
	require.Len(t, j.Rows, 3)
	for i, note := range []string{"it failed", "it failed", "it failed too"} {
		require.Equal(t, note, j.Rows[i].Note)
	}
	require.Equal(t, 2, j.Rows[0].Now.N)
}

package results

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// turn is a block of a scenario of pushes.
func turn(values map[string]float64) []Record {
	r := Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1}
	for _, u := range Units() {
		if v, ok := values[u.Name]; ok {
			r.Values = append(r.Values, Value{u.Name, v})
		}
	}
	return []Record{r}
}

// takeTurns adds pairs until it is decided, or there are so many.
func takeTurns(t *testing.T, most int, block func(pair, block int, now bool) map[string]float64) *Judgement {
	t.Helper()
	p, err := NewPaired(PairedOptions{})
	require.NoError(t, err)
	for n := range most {
		var base, now [][]Record
		for i, isNow := range []bool{false, true, true, false} {
			b := turn(block(n, i, isNow))
			if isNow {
				now = append(now, b)
			} else {
				base = append(base, b)
			}
		}
		require.NoError(t, p.Add(base, now))
		last := n == most-1
		if !last && !p.Due() {
			continue
		}
		if j, decided := p.Look(last, nil); decided || last {
			return j
		}
	}
	return nil
}

// noisy is a time with so much noise a block.
func noisy(random *rand.Rand, ns, noise float64) float64 {
	return ns * math.Exp(noise*random.NormFloat64())
}

func TestPairedVerdicts(t *testing.T) {
	const noise = 0.05
	base := map[string]float64{"ns/op": 1000, "cpu-ns/op": 500, "allocs/op": 2, "B/op": 100, "requests/device": 2, "failed/device": 0}
	for name, row := range map[string]struct {
		now    map[string]float64 // what differs
		want   Verdict
		unit   string
		reason string
	}{
		"the same":                    {nil, Pass, "", "6 metrics judged, none beyond its tolerance"},
		"a tenth slower":              {map[string]float64{"ns/op": 1100}, Regressed, "ns/op", "push ns/op went from"},
		"a tenth faster":              {map[string]float64{"ns/op": 900}, Improved, "ns/op", "push ns/op went from"},
		"more processor time":         {map[string]float64{"cpu-ns/op": 550}, Regressed, "cpu-ns/op", "push cpu-ns/op went from"},
		"within what doesn't matter":  {map[string]float64{"ns/op": 1004}, Pass, "", ""},
		"an allocation more":          {map[string]float64{"allocs/op": 3}, Regressed, "allocs/op", "push allocs/op went from 2 to 3 (+50.0%)"},
		"a tenth of an allocation":    {map[string]float64{"allocs/op": 2.1}, Pass, "", ""},
		"64 bytes more":               {map[string]float64{"B/op": 164}, Regressed, "B/op", ""},
		"a request more":              {map[string]float64{"requests/device": 3}, Regressed, "requests/device", "push requests/device went from 2 to 3 (+50.0%)"},
		"a request in ten more":       {map[string]float64{"requests/device": 2.1}, Regressed, "requests/device", ""},
		"failures":                    {map[string]float64{"failed/device": 0.01}, Regressed, "failed/device", "push failed/device went from 0 to 0.01"},
		"slower, and a request fewer": {map[string]float64{"requests/device": 1, "ns/op": 1100}, Regressed, "ns/op", ""},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			j := takeTurns(t, 90, func(_, _ int, isNow bool) map[string]float64 {
				values := map[string]float64{}
				for unit, v := range base {
					if changed, ok := row.now[unit]; ok && isNow {
						v = changed
					}
					if u, _ := LookupUnit(unit); u.Class == ClassTime || u.Class == ClassCPU {
						v = noisy(random, v, noise)
					}
					values[unit] = v
				}
				return values
			})
			require.Equal(t, row.want, j.Verdict, "%s\n%+v", j.Reason, j.Rows)
			require.Contains(t, j.Reason, row.reason)
			for _, r := range j.Rows {
				if row.unit == "" || r.Unit != row.unit {
					continue
				}
				require.Equal(t, row.want, r.Verdict)
				if r.Ratio != nil {
					truth := row.now[r.Unit] / base[r.Unit]
					require.LessOrEqual(t, r.Ratio.Low, truth+1e-9)
					require.GreaterOrEqual(t, r.Ratio.High, truth-1e-9)
					require.InDelta(t, truth-1, *r.Delta, 0.03)
				}
			}
		})
	}
}

// TestPairedTestsWhatTimingDetermines: a count that differs among the base's own blocks is no proof that the
// other side is another one; one that is worse by far is still found.
func TestPairedTestsWhatTimingDetermines(t *testing.T) {
	for name, row := range map[string]struct {
		base, now float64 // share of blocks in which a push failed
		want      []Verdict
	}{
		"often, on both sides":  {0.5, 0.5, []Verdict{Pass, Inconclusive}},
		"rarely, on both sides": {0.1, 0.1, []Verdict{Pass, Inconclusive}},
		"often, and more often": {0.3, 0.95, []Verdict{Regressed}},
		"rarely, then often":    {0.1, 0.7, []Verdict{Regressed}},
		"often, then rarely":    {0.8, 0.1, []Verdict{Improved}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 9))
				j := takeTurns(t, 120, func(_, _ int, isNow bool) map[string]float64 {
					share, failed := row.base, 0.0
					if isNow {
						share = row.now
					}
					if random.Float64() < share {
						failed = 0.01
					}
					return map[string]float64{"failed/device": failed, "requests/device": 1}
				})
				require.Equal(t, Pass, j.Rows[0].Verdict, "what doesn't differ is compared")
				require.Contains(t, row.want, j.Verdict, "seed %d: %s", seed, j.Reason)
			}
		})
	}
}

// TestPairedNeedsOneRepetition where the seed determines a metric.
func TestPairedNeedsOneRepetition(t *testing.T) {
	j := takeTurns(t, 1, func(_, _ int, isNow bool) map[string]float64 {
		if isNow {
			return map[string]float64{"requests/device": 3, "ns/op": 1}
		}
		return map[string]float64{"requests/device": 2, "ns/op": 1}
	})
	require.Equal(t, Regressed, j.Verdict)
	require.Equal(t, Inconclusive, j.Rows[0].Verdict, "one pair says nothing of times")
}

func TestPairedNeverPassesWhatIsNotThere(t *testing.T) {
	same := func(unit string) func(int, int, bool) map[string]float64 {
		return func(_, _ int, isNow bool) map[string]float64 { return map[string]float64{unit: 5} }
	}
	without := func(side bool, unit string, from int) func(int, int, bool) map[string]float64 {
		return func(pair, _ int, isNow bool) map[string]float64 {
			if isNow == side && pair >= from {
				return map[string]float64{"retries/device": 0}
			}
			return map[string]float64{unit: 5, "retries/device": 0}
		}
	}
	require.Equal(t, Pass, takeTurns(t, 40, same("ns/op")).Verdict)
	for name, row := range map[string]struct {
		block func(int, int, bool) map[string]float64
		want  Verdict
	}{
		"vanished":                   {without(true, "ns/op", 0), Regressed},
		"vanished, exact":            {without(true, "requests/device", 0), Regressed},
		"new":                        {without(false, "ns/op", 0), Inconclusive},
		"vanished in the middle":     {without(true, "ns/op", 10), Inconclusive},
		"base lacks it at the end":   {without(false, "allocs/op", 10), Inconclusive},
		"nothing that can be judged": {same("MB/s"), Invalid},
	} {
		j := takeTurns(t, 40, row.block)
		require.Equal(t, row.want, j.Verdict, "%s: %s", name, j.Reason)
		require.NotEmpty(t, j.Reason, name)
	}

	p, err := NewPaired(PairedOptions{})
	require.NoError(t, err)
	j, decided := p.Look(true, nil)
	require.Equal(t, Invalid, j.Verdict)
	require.False(t, decided)
	require.Error(t, p.Add([][]Record{turn(map[string]float64{"ns/op": math.NaN()})}, [][]Record{turn(map[string]float64{"ns/op": 1})}))
	require.Error(t, p.Add(nil, [][]Record{turn(map[string]float64{"ns/op": 1})}))
	require.NoError(t, p.Add([][]Record{turn(map[string]float64{"ns/op": 1})}, [][]Record{turn(map[string]float64{"ns/op": 1})}))
	j, decided = p.Look(false, []string{"the ledger contradicts"})
	require.True(t, decided)
	require.Equal(t, Invalid, j.Verdict)
	require.Equal(t, "the ledger contradicts", j.Reason)
	for _, o := range []PairedOptions{{Alpha: -1}, {Alpha: 1}, {Miss: 2}, {Miss: math.NaN()}} {
		_, err := NewPaired(o)
		require.Error(t, err)
	}
}

// TestDriftFallsOut: the machine becomes slower by 30% while it is measured, evenly or all at once, and the ratio of the
// two sides moves by less than a hundredth.
func TestDriftFallsOut(t *testing.T) {
	const pairs = 54
	for name, speed := range map[string]func(at float64) float64{
		"none":        func(float64) float64 { return 1 },
		"even":        func(at float64) float64 { return 1 + 0.3*at },
		"accelerated": func(at float64) float64 { return 1 + 0.3*at*at },
		"at once":     func(at float64) float64 { return 1 + 0.3*math.Round(at) },
		"swinging":    func(at float64) float64 { return 1 + 0.15*math.Sin(20*at) },
	} {
		for _, truth := range []float64{1, 1.05} {
			random := rand.New(rand.NewPCG(9, 10))
			p, err := NewPaired(PairedOptions{})
			require.NoError(t, err)
			for n := range pairs {
				var blocks [4][]Record
				for i := range blocks {
					ns := noisy(random, 1000*speed(float64(4*n+i)/(4*pairs)), 0.03)
					if i == 1 || i == 2 {
						ns *= truth
					}
					blocks[i] = turn(map[string]float64{"ns/op": ns})
				}
				require.NoError(t, p.Add([][]Record{blocks[0], blocks[3]}, [][]Record{blocks[1], blocks[2]}))
			}
			j, _ := p.Look(true, nil)
			require.InDelta(t, truth, j.Rows[0].Ratio.Estimate, 0.01, name)
		}
	}
}

// recordedTurns are pairs of a real comparison of identical sides, on a machine with two noisy cores that others used.
func recordedTurns(t testing.TB) (pairs [][2][][]Record) {
	t.Helper()
	side := func(file string) [][]Record {
		text, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		records, _, err := parseSamples(text, file, 1)
		require.NoError(t, err)
		var blocks [][]Record
		for _, r := range records {
			for len(blocks) < r.Repetition {
				blocks = append(blocks, nil)
			}
			blocks[r.Repetition-1] = append(blocks[r.Repetition-1], r)
		}
		return blocks
	}
	base, now := side("turns-base.txt"), side("turns-now.txt")
	require.Len(t, now, len(base))
	for i := 0; i+1 < len(base); i += 2 {
		pairs = append(pairs, [2][][]Record{base[i : i+2], now[i : i+2]})
	}
	require.Greater(t, len(pairs), 50)
	return pairs
}

// resampled runs a comparison of pairs drawn from the recorded ones, the sides of each swapped or not
// by chance, which is what it means that nothing changed. change makes now's side worse.
func resampled(t testing.TB, random *rand.Rand, pairs [][2][][]Record, most int, change func(Value) Value) Verdict {
	p, err := NewPaired(PairedOptions{})
	require.NoError(t, err)
	for n := 1; ; n++ {
		pair := pairs[random.IntN(len(pairs))]
		if random.IntN(2) == 1 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		if change != nil {
			pair[1] = changed(pair[1], change)
		}
		require.NoError(t, p.Add(pair[0], pair[1]))
		if n < most && !p.Due() {
			continue
		}
		if j, decided := p.Look(n == most, nil); decided || n == most {
			return j.Verdict
		}
	}
}

func changed(blocks [][]Record, change func(Value) Value) (worse [][]Record) {
	for _, b := range blocks {
		var records []Record
		for _, r := range b {
			values := make([]Value, len(r.Values))
			for i, v := range r.Values {
				values[i] = change(v)
			}
			r.Values = values
			records = append(records, r)
		}
		worse = append(worse, records)
	}
	return worse
}

// TestFalseAlarmsOnRecordedNoise: of 2,000 comparisons of identical sides not more are called regressed, or
// improved, than is stated.
func TestFalseAlarmsOnRecordedNoise(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	pairs, random := recordedTurns(t), rand.New(rand.NewPCG(11, 12))
	comparisons := 2000
	if raced { // ten times slower, and one goroutine has no races
		comparisons = 200
	}
	verdicts := map[Verdict]int{}
	for range comparisons {
		verdicts[resampled(t, random, pairs, 81, nil)]++
	}
	t.Logf("%v", verdicts)
	alarms := verdicts[Regressed] + verdicts[Improved]
	require.LessOrEqual(t, float64(alarms)/float64(comparisons), defaultPairedAlpha)
}

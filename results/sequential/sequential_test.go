package sequential

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/results"
)

// turn returns the records of a block with pushes only.
func turn(values map[string]float64) []results.Record {
	r := results.Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1}
	for _, u := range results.Units() {
		if v, ok := values[u.Name]; ok {
			r.Values = append(r.Values, results.Value{Unit: u.Name, Value: v})
		}
	}
	return []results.Record{r}
}

// takeTurns adds up to most pairs, until the test is decided.
func takeTurns(t *testing.T, most int, block func(pair, block int, now bool) map[string]float64) Result {
	t.Helper()
	return takeTurnsOf(t, Options{}, most, block)
}

// takeTurnsOf is takeTurns with the options of the test.
func takeTurnsOf(t *testing.T, o Options, most int, block func(pair, block int, now bool) map[string]float64) Result {
	t.Helper()
	p := New(o)
	for n := range most {
		var base, now [][]results.Record
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
		if !last && !p.AnalysisDue() {
			continue
		}
		if r, decided := p.Analyze(last); decided || last {
			return r
		}
	}
	return Result{}
}

// overall returns the decision over all metrics: Worse, or else Unclear, Better or Unchanged.
func overall(r Result) Decision {
	for _, d := range []Decision{Worse, Unclear, Better, Unchanged} {
		if slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Decision == d }) {
			return d
		}
	}
	return Open
}

// noisy returns ns with lognormal noise.
func noisy(random *rand.Rand, ns, noise float64) float64 {
	return ns * math.Exp(noise*random.NormFloat64())
}

func TestDecisions(t *testing.T) {
	const noise = 0.05
	base := map[string]float64{"ns/op": 1000, "cpu-ns/op": 500, "allocs/op": 2, "B/op": 100, "requests/device": 2,
		"failed/device": 0}
	for name, row := range map[string]struct {
		now  map[string]float64 // what differs
		want Decision
		unit string
	}{
		"the same":                    {nil, Unchanged, ""},
		"a tenth slower":              {map[string]float64{"ns/op": 1100}, Worse, "ns/op"},
		"a tenth faster":              {map[string]float64{"ns/op": 900}, Better, "ns/op"},
		"more processor time":         {map[string]float64{"cpu-ns/op": 550}, Worse, "cpu-ns/op"},
		"within what doesn't matter":  {map[string]float64{"ns/op": 1004}, Unchanged, ""},
		"an allocation more":          {map[string]float64{"allocs/op": 3}, Worse, "allocs/op"},
		"a tenth of an allocation":    {map[string]float64{"allocs/op": 2.1}, Unchanged, ""},
		"64 bytes more":               {map[string]float64{"B/op": 164}, Worse, "B/op"},
		"a request more":              {map[string]float64{"requests/device": 3}, Worse, "requests/device"},
		"a request in ten more":       {map[string]float64{"requests/device": 2.1}, Worse, "requests/device"},
		"failures":                    {map[string]float64{"failed/device": 0.01}, Worse, "failed/device"},
		"slower, and a request fewer": {map[string]float64{"requests/device": 1, "ns/op": 1100}, Worse, "ns/op"},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			r := takeTurns(t, 90, func(_, _ int, isNow bool) map[string]float64 {
				values := map[string]float64{}
				for _, unit := range slices.Sorted(maps.Keys(base)) { // in one order, so that the noise is the same in each run
					v := base[unit]
					if changed, ok := row.now[unit]; ok && isNow {
						v = changed
					}
					if u, _ := results.LookupUnit(unit); u.Class == results.ClassTime || u.Class == results.ClassCPU {
						v = noisy(random, v, noise)
					}
					values[unit] = v
				}
				return values
			})
			require.Equal(t, row.want, overall(r), "%+v", r.Metrics)
			for _, r := range r.Metrics {
				if row.unit == "" || r.Unit.Name != row.unit {
					continue
				}
				require.Equal(t, row.want, r.Decision)
				if r.Ratio != nil {
					truth := row.now[r.Unit.Name] / base[r.Unit.Name]
					require.LessOrEqual(t, r.Ratio.Low, truth+1e-9)
					require.GreaterOrEqual(t, r.Ratio.High, truth-1e-9)
					require.InDelta(t, truth-1, *r.Delta, 0.03)
				}
			}
		})
	}
}

// TestTolerances has a time that takes 10% longer.
func TestTolerances(t *testing.T) {
	for tolerance, want := range map[float64]Decision{0: Worse, 0.03: Worse, 0.3: Unchanged} {
		o := Options{Tolerances: results.Tolerances{}}
		if tolerance > 0 {
			o.Tolerances[results.UnitMean] = tolerance
		}
		random := rand.New(rand.NewPCG(7, 8))
		r := takeTurnsOf(t, o, 90, func(_, _ int, isNow bool) map[string]float64 {
			v := 1000.0
			if isNow {
				v *= 1.1
			}
			return map[string]float64{results.UnitMean: noisy(random, v, 0.02)}
		})
		require.Equal(t, want, overall(r), tolerance)
	}
}

// TestVaryingExactMetricIsTested: if an exact count differs among the base's own blocks, it is
// tested, so that a difference isn't a regression by itself, but a large one is still found.
func TestVaryingExactMetricIsTested(t *testing.T) {
	for name, row := range map[string]struct {
		base, now float64 // share of blocks in which a push failed
		want      []Decision
	}{
		"often, on both sides":  {0.5, 0.5, []Decision{Unchanged, Unclear}},
		"rarely, on both sides": {0.1, 0.1, []Decision{Unchanged, Unclear}},
		"often, and more often": {0.3, 0.95, []Decision{Worse}},
		"rarely, then often":    {0.1, 0.7, []Decision{Worse}},
		"often, then rarely":    {0.8, 0.1, []Decision{Better}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 9))
				r := takeTurns(t, 120, func(_, _ int, isNow bool) map[string]float64 {
					share, failed := row.base, 0.0
					if isNow {
						share = row.now
					}
					if random.Float64() < share {
						failed = 0.01
					}
					return map[string]float64{"failed/device": failed, "requests/device": 1}
				})
				require.Equal(t, Unchanged, r.Metrics[0].Decision, "a count that doesn't differ is compared exactly")
				require.Contains(t, row.want, overall(r), "seed %d: %+v", seed, r.Metrics)
			}
		})
	}
}

// TestBytesOfSomeBlocksAreRounded checks that a mean number of bytes which is rounded up in a few blocks
// of one side is no difference, and that a byte more in all of them is.
func TestBytesOfSomeBlocksAreRounded(t *testing.T) {
	for name, c := range map[string]struct {
		now  func(n int) float64
		want Decision
	}{
		"rounded up at times": {func(n int) float64 { return 408 + float64(n%40/39) }, Unchanged},
		"a byte more":         {func(int) float64 { return 409 }, Worse},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			r := takeTurns(t, 60, func(_, _ int, isNow bool) map[string]float64 {
				if !isNow {
					return map[string]float64{"wire-B/device": 408}
				}
				n++
				return map[string]float64{"wire-B/device": c.now(n)}
			})
			require.Equal(t, c.want, r.Metrics[0].Decision, "%+v", r.Metrics)
		})
	}
}

// TestExactMetricNeedsOnePair checks that one pair decides a metric that the seed determines, and
// not a time.
func TestExactMetricNeedsOnePair(t *testing.T) {
	r := takeTurns(t, 1, func(_, _ int, isNow bool) map[string]float64 {
		if isNow {
			return map[string]float64{"requests/device": 3, "ns/op": 1}
		}
		return map[string]float64{"requests/device": 2, "ns/op": 1}
	})
	require.Equal(t, Worse, overall(r))
	require.Equal(t, Unclear, r.Metrics[0].Decision, "one pair can't decide a time")
}

func TestMissingMetricNeverPasses(t *testing.T) {
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
	require.Equal(t, Unchanged, overall(takeTurns(t, 40, same("ns/op"))))
	for name, row := range map[string]struct {
		block func(int, int, bool) map[string]float64
		want  Decision
	}{
		"vanished":                 {without(true, "ns/op", 0), Worse},
		"vanished, exact":          {without(true, "requests/device", 0), Worse},
		"new":                      {without(false, "ns/op", 0), Unclear},
		"vanished in the middle":   {without(true, "ns/op", 10), Unclear},
		"base lacks it at the end": {without(false, "allocs/op", 10), Unclear},
	} {
		r := takeTurns(t, 40, row.block)
		require.Equal(t, row.want, overall(r), name)
		require.False(t, r.Unmeasured, name)
	}

	require.True(t, takeTurns(t, 40, same("MB/s")).Unmeasured, "nothing that can be tested")
	p := New(Options{})
	r, decided := p.Analyze(true)
	require.True(t, r.Unmeasured)
	require.False(t, decided)
	one := [][]results.Record{turn(map[string]float64{"ns/op": 1})}
	require.Error(t, p.Add([][]results.Record{turn(map[string]float64{"ns/op": math.NaN()})}, one))
	require.Error(t, p.Add(nil, one))
	require.NoError(t, p.Add(one, one))
	r, _ = p.Analyze(false)
	require.NotNil(t, r.Metrics[0].AdjustedP)
	r = r.Invalidate()
	require.Equal(t, Outcome{Cause: Invalidated}, r.Metrics[0].Outcome)
	require.Nil(t, r.Metrics[0].AdjustedP)
	require.Equal(t, 1.0, r.Metrics[0].Now.Median)
}

// TestDriftCancelsOut: while the machine becomes slower by 30%, steadily or at once, the ratio of
// the sides changes by less than 0.01.
func TestDriftCancelsOut(t *testing.T) {
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
			p := New(Options{})
			for n := range pairs {
				var blocks [4][]results.Record
				for i := range blocks {
					ns := noisy(random, 1000*speed(float64(4*n+i)/(4*pairs)), 0.03)
					if i == 1 || i == 2 {
						ns *= truth
					}
					blocks[i] = turn(map[string]float64{"ns/op": ns})
				}
				require.NoError(t, p.Add([][]results.Record{blocks[0], blocks[3]}, [][]results.Record{blocks[1], blocks[2]}))
			}
			r, _ := p.Analyze(true)
			require.InDelta(t, truth, r.Metrics[0].Ratio.Estimate, 0.01, name)
		}
	}
}

// recordedTurns returns the pairs of a real comparison of identical sides, on a machine with two
// noisy cores that others used too.
func recordedTurns(t testing.TB) (pairs [][2][][]results.Record) {
	t.Helper()
	side := func(file string) [][]results.Record {
		text, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		records, err := results.ParseSamples(text, file, 0)
		require.NoError(t, err)
		var blocks [][]results.Record
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
		pairs = append(pairs, [2][][]results.Record{base[i : i+2], now[i : i+2]})
	}
	require.Greater(t, len(pairs), 50)
	return pairs
}

// resampled runs a comparison of pairs drawn from the recorded ones. The sides of each pair are
// swapped at random, so that the sides don't differ, except by change, which makes now worse.
func resampled(t testing.TB, random *rand.Rand, pairs [][2][][]results.Record, most int,
	change func(results.Value) results.Value) Decision {
	p := New(Options{})
	for n := 1; ; n++ {
		pair := pairs[random.IntN(len(pairs))]
		if random.IntN(2) == 1 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		if change != nil {
			pair[1] = changed(pair[1], change)
		}
		require.NoError(t, p.Add(pair[0], pair[1]))
		if n < most && !p.AnalysisDue() {
			continue
		}
		if r, decided := p.Analyze(n == most); decided || n == most {
			return overall(r)
		}
	}
}

func changed(blocks [][]results.Record, change func(results.Value) results.Value) (worse [][]results.Record) {
	for _, b := range blocks {
		var records []results.Record
		for _, r := range b {
			values := make([]results.Value, len(r.Values))
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

// TestFalseAlarmsOnRecordedNoise checks that of 2,000 comparisons of identical sides, no more are
// worse or better than FalseAlarms says.
func TestFalseAlarmsOnRecordedNoise(t *testing.T) {
	testenv.Slow(t)
	pairs, random := recordedTurns(t), rand.New(rand.NewPCG(11, 12))
	comparisons := 2000
	if testenv.Raced { // ten times slower, and a single goroutine has no races
		comparisons = 200
	}
	verdicts := map[Decision]int{}
	for range comparisons {
		verdicts[resampled(t, random, pairs, 81, nil)]++
	}
	t.Logf("%v", verdicts)
	alarms := verdicts[Worse] + verdicts[Better]
	require.LessOrEqual(t, float64(alarms)/float64(comparisons), FalseAlarms)
}

// TestOnly checks that metrics that aren't in Only don't affect the test, however much they
// changed.
func TestOnly(t *testing.T) {
	p := New(Options{Means: true, Only: []Key{{"s", "push", "cpu-ns/op"}}})
	block := func(scale float64) [][]results.Record {
		return [][]results.Record{{
			{Scenario: "s", Op: "push", Repetition: 1, Ops: 1,
				Values: []results.Value{{Unit: "cpu-ns/op", Value: 100}, {Unit: "ns/op", Value: 100 * scale}}},
			{Scenario: "s", Op: "verify", Repetition: 1, Ops: 1,
				Values: []results.Value{{Unit: "cpu-ns/op", Value: 100 * scale}}},
		}}
	}
	for p.CanAddPair() {
		require.NoError(t, p.Add(block(1), block(2)))
	}
	r, _ := p.Analyze(true)
	require.Len(t, r.Metrics, 1)
	require.Equal(t, Key{"s", "push", "cpu-ns/op"}, r.Metrics[0].Key())
}

// TestAppendBlocks checks that records get the number of their block, counted on from the number of
// blocks before.
func TestAppendBlocks(t *testing.T) {
	block := []results.Record{{Op: "push", Repetition: 7}, {Op: "verify", Repetition: 7}}
	first := AppendBlocks(nil, [][]results.Record{block}, 0)
	all := AppendBlocks(first, [][]results.Record{block[:1], block}, 1)
	require.Equal(t, []results.Record{
		{Op: "push", Repetition: 1}, {Op: "verify", Repetition: 1}, {Op: "push", Repetition: 2},
		{Op: "push", Repetition: 3}, {Op: "verify", Repetition: 3},
	}, all)
	require.Equal(t, 7, block[0].Repetition, "the blocks aren't changed")
}

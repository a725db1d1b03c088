package load

import (
	"iter"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestArrivals compares each pacer with times worked out by hand.
func TestArrivals(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		pacer Pacer
		want  []time.Duration // times of the first operations
		ends  bool            // whether there is no further operation
	}{
		"constant": {ConstantRate(100), []time.Duration{0, 10 * ms, 20 * ms, 30 * ms}, false},
		// From 0/s to 200/s in 1 s: after t seconds there were 100 t² operations, so operation n
		// is planned at the square root of n/100.
		"a ramp from nothing": {NewRateSchedule(Segment{time.Second, 0, 200}),
			[]time.Duration{0, 100 * ms, 141421356, 173205081, 200 * ms}, false},
		// From 20/s to 0/s in 1 s: 20 t - 10 t² = n; operation 10 never comes.
		"a ramp to nothing": {NewRateSchedule(Segment{time.Second, 20, 0}),
			[]time.Duration{0, 51316702, 105572809, 163339973, 225403331, 292893219, 367544468, 452277442, 552786405,
				683772234}, true},
		"a pause": {NewRateSchedule(Segment{100 * ms, 20, 20}, Segment{Length: time.Second}, Segment{100 * ms, 10, 10}),
			[]time.Duration{0, 50 * ms, 1100 * ms}, true},
		"bursts":    {Bursts{2, time.Second}, []time.Duration{0, 0, time.Second, time.Second, 2 * time.Second}, false},
		"one burst": {Bursts{Size: 3}, []time.Duration{0, 0, 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got []time.Duration
			for planned := range row.pacer.Arrivals(1) {
				if got = append(got, planned); len(got) == len(row.want)+1 {
					break
				}
			}
			require.Equal(t, row.ends, len(got) == len(row.want))
			for n, want := range row.want {
				require.InDelta(t, float64(want), float64(got[n]), 2, "operation %d", n)
				require.Equal(t, got[n], timeOf(row.pacer, int64(n), 1))
			}
		})
	}
}

func TestConstantRate(t *testing.T) {
	for _, row := range []struct {
		perSecond float64
		n         int64
		want      time.Duration
	}{
		{1, 0, 0}, {1, 1, time.Second}, {1000, 1, time.Millisecond}, {1000, 1500, 1500 * time.Millisecond},
		{3, 1, 333333333}, {3, 3, time.Second}, {0.5, 3, 6 * time.Second}, {1e7, 1, 100},
		{3, 3_000_000, 1_000_000 * time.Second}, // there is no drift: the millionth second is as exact as the first
	} {
		require.Equal(t, row.want, ConstantRate(row.perSecond).timeOf(float64(row.n)), "%v/s, operation %d", row.perSecond,
			row.n)
	}
}

func TestConstantRate_tiny(t *testing.T) {
	// At 1e-300/s, every operation except the first is beyond the range of a Duration.
	r := ConstantRate(1e-300)
	require.Zero(t, r.timeOf(0))
	for _, n := range []int64{1, 2, 1 << 40, math.MaxInt64} {
		require.Equal(t, never, r.timeOf(float64(n)))
	}
	require.Equal(t, never, ConstantRate(1).timeOf(1<<60))
	require.EqualValues(t, 1, r.CountBy(time.Hour))
}

func TestCountBy(t *testing.T) {
	for _, row := range []struct {
		perSecond float64
		end       time.Duration
		want      int64
	}{
		{10, time.Second, 10},                     // at 0, 100, … 900 ms
		{10, 1001 * time.Millisecond, 11},         // and at 1 s
		{0.5, time.Second, 1},                     // only at 0
		{3, time.Second, 3},                       // at 0, 333,333,333 and 666,666,667 ns
		{3, 666_666_667, 2},                       // the end itself doesn't count
		{3, 666_666_668, 3},                       //
		{400, 200 * time.Millisecond, 80},         //
		{1e7, 24 * time.Hour, 10_000_000 * 86400}, //
	} {
		require.Equal(t, row.want, ConstantRate(row.perSecond).CountBy(row.end), "%v/s for %v", row.perSecond, row.end)
	}
}

// TestCountsAreThoseOfTheArrivals compares the counts and times that pacers compute with their
// arrivals.
func TestCountsAreThoseOfTheArrivals(t *testing.T) {
	ramp := NewRateSchedule(Segment{time.Second, 0, 200}, Segment{Length: time.Second}, Segment{time.Second, 20, 0})
	for name, p := range map[string]Pacer{
		"constant": ConstantRate(70), "ramps": ramp, "bursts": Bursts{3, 300 * time.Millisecond},
		"one burst": Bursts{Size: 3},
	} {
		for end := time.Duration(0); end < 4*time.Second; end += 50 * time.Millisecond {
			want := countBy(listed(arrivalsOf(p, 0, 1000)), end, math.MaxInt64)
			require.Equal(t, want, countBy(p, end, math.MaxInt64), "%s by %v", name, end)
			require.Equal(t, min(want, 5), countBy(p, end, 5), "%s by %v", name, end)
		}
		times := listed(arrivalsOf(p, 0, 300))
		for n := range int64(300) {
			require.Equal(t, timeOf(times, n, 0), timeOf(p, n, 0), "%s, operation %d", name, n)
		}
	}
	require.EqualValues(t, math.MaxInt64, Bursts{1 << 40, 1}.CountBy(never))
	require.EqualValues(t, never-1, Bursts{1, 1}.CountBy(never-1))
}

func TestAllowedLag(t *testing.T) {
	for _, row := range []struct {
		pacer               Pacer
		lastPlanned, allows time.Duration
	}{
		{ConstantRate(1), time.Second, 100 * time.Millisecond},
		{ConstantRate(1), 10 * time.Second, 500 * time.Millisecond},
		{Poisson{ConstantRate(1)}, 10 * time.Second, 500 * time.Millisecond},
		{Bursts{1, time.Second}, 10 * time.Second, time.Second},
		{Bursts{Size: 1}, 0, never},
	} {
		require.Equal(t, row.allows, AllowedLag(row.pacer, row.lastPlanned), "%v", row)
	}
}

// listed is a pacer with only the method Arrivals, which plans the times in the list.
type listed []time.Duration

func (l listed) Arrivals(uint64) iter.Seq[time.Duration] { return slices.Values(l) }

// TestPacer_onlyArrivals checks that a pacer needs no method except Arrivals.
func TestPacer_onlyArrivals(t *testing.T) {
	const ms = time.Millisecond
	plan := listed{0, 10 * ms, 30 * ms, 60 * ms, 100 * ms}
	for name, row := range map[string]struct {
		duration         time.Duration
		devices          int
		want, operations int64
	}{
		"by its devices":                   {0, 3, 3, 3},
		"by its end":                       {0, 10, 5, 5},
		"by its duration":                  {50 * ms, 10, 3, 3},
		"by the very time of an operation": {60 * ms, 10, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rate := ArrivalRate{Pacer: plan, Duration: row.duration, Workers: 2, Drain: aMinute}
				expect := rate.Expect(row.devices)
				require.Equal(t, row.want, expect.Operations)
				require.Nil(t, expect.RateAt)
				result, record := run(t.Context(), rate, row.devices, &standIn{})
				require.Equal(t, row.operations, result.Operations.Planned)
				require.Equal(t, row.operations, result.Operations.Succeeded)
				_, lateness := record.Merge()
				require.Equal(t, plan[row.operations-1], lateness.LastPlanned)
				require.False(t, lateness.FellBehind(plan))
			})
		})
	}
}

// arrivalsOf returns the first n times of a pacer.
func arrivalsOf(p Pacer, seed uint64, n int) []time.Duration {
	list := make([]time.Duration, 0, n)
	for planned := range p.Arrivals(seed) {
		if list = append(list, planned); len(list) == n {
			break
		}
	}
	return list
}

// TestPoissonArrivals compares the gaps with the exponential distribution (Kolmogorov-Smirnov
// test), and the counts in windows with the Poisson distribution, whose variance equals its mean.
func TestPoissonArrivals(t *testing.T) {
	const rate, n = 1000.0, 100_000
	for seed := range uint64(5) {
		gaps := make([]float64, n)
		counts := make([]float64, n/int(rate)*10) // of 100 ms
		var last time.Duration
		for i, at := range arrivalsOf(Poisson{ConstantRate(rate)}, seed, n) {
			gaps[i] = (at - last).Seconds()
			last = at
			if w := int(at / (100 * time.Millisecond)); w < len(counts) {
				counts[w]++
			}
		}
		// At a level of 1%, the critical value is 1.63 over the square root of n.
		require.Less(t, kolmogorov(gaps, func(x float64) float64 { return 1 - math.Exp(-rate*x) }), 1.63/math.Sqrt(n),
			"seed %d", seed)
		counts = counts[:int(last/(100*time.Millisecond))]
		mean, variance := moments(counts)
		require.InEpsilon(t, rate/10, mean, 0.02)
		require.InEpsilon(t, mean, variance, 0.2) // a thousand windows, so the standard deviation of the variance is 4.5%
	}
}

// TestPoissonRamp checks that if the rate changes, the times, transformed to rate 1, are a Poisson
// process.
func TestPoissonRamp(t *testing.T) {
	const n = 20_000
	p := Poisson{NewRateSchedule(Segment{100 * time.Second, 0, 500})} // 2.5 t²: 25,000 in all
	gaps := make([]float64, n)
	var last float64
	for i, at := range arrivalsOf(p, 7, n) {
		unit := 2.5 * at.Seconds() * at.Seconds()
		gaps[i] = unit - last
		last = unit
	}
	require.Less(t, kolmogorov(gaps, func(x float64) float64 { return 1 - math.Exp(-x) }), 1.63/math.Sqrt(n))
	require.EqualValues(t, 25_000, p.CountBy(100*time.Second))
	require.EqualValues(t, 6250, p.CountBy(50*time.Second))
	require.InDelta(t, 250, p.RateAt(50*time.Second), 1e-9)
}

func TestTheSeedDeterminesArrivals(t *testing.T) {
	p := Poisson{ConstantRate(100)}
	require.Equal(t, arrivalsOf(p, 3, 50), arrivalsOf(p, 3, 50))
	require.NotEqual(t, arrivalsOf(p, 3, 50), arrivalsOf(p, 4, 50))
	again := p.Arrivals(3)
	for range 2 { // a sequence starts again each time
		for planned := range again {
			require.Equal(t, timeOf(p, 0, 3), planned)
			break
		}
	}
	require.Equal(t, arrivalsOf(p, 3, 50)[49], timeOf(p, 49, 3))
}

// kolmogorov returns the Kolmogorov-Smirnov statistic: the largest distance between a sample's
// distribution and another one.
func kolmogorov(sample []float64, distribution func(float64) float64) (most float64) {
	sorted := slices.Sorted(slices.Values(sample))
	n := float64(len(sorted))
	for i, x := range sorted {
		f := distribution(x)
		most = max(most, math.Abs(f-float64(i)/n), math.Abs(float64(i+1)/n-f))
	}
	return most
}

func moments(sample []float64) (mean, variance float64) {
	for _, x := range sample {
		mean += x / float64(len(sample))
	}
	for _, x := range sample {
		variance += (x - mean) * (x - mean) / float64(len(sample)-1)
	}
	return mean, variance
}

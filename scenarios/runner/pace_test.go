package runner

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/stretchr/testify/require"
)

func TestConstantPace(t *testing.T) {
	for _, row := range []struct {
		perSecond float64
		n         int64
		want      time.Duration
	}{
		{1, 0, 0}, {1, 1, time.Second}, {1000, 1, time.Millisecond}, {1000, 1500, 1500 * time.Millisecond},
		{3, 1, 333333333}, {3, 3, time.Second}, {0.5, 3, 6 * time.Second}, {1e7, 1, 100},
		{3, 3_000_000, 1_000_000 * time.Second}, // no drift: the millionth second is as exact as the first
	} {
		require.Equal(t, row.want, evenPace{constantProfile(row.perSecond)}.at(row.n), "%v/s, operation %d", row.perSecond, row.n)
	}
}

func TestPaceOfATinyRate(t *testing.T) {
	// 1e-300 a second: every operation but the first is beyond what a Duration holds.
	p := evenPace{constantProfile(1e-300)}
	require.Zero(t, p.at(0))
	for _, n := range []int64{1, 2, 1 << 40, math.MaxInt64} {
		require.Equal(t, time.Duration(math.MaxInt64), p.at(n))
	}
	require.Equal(t, time.Duration(math.MaxInt64), evenPace{constantProfile(1)}.at(1<<60))
	require.EqualValues(t, 1, until(p, time.Hour))
}

func TestUntil(t *testing.T) {
	for _, row := range []struct {
		perSecond float64
		end       time.Duration
		want      int64
	}{
		{10, time.Second, 10},                     // at 0, 100, … 900 ms
		{10, 1001 * time.Millisecond, 11},         // and at 1 s
		{0.5, time.Second, 1},                     // at 0 alone
		{3, time.Second, 3},                       // at 0, 333,333,333 and 666,666,667 ns
		{3, 666_666_667, 2},                       // the end is no part
		{3, 666_666_668, 3},                       //
		{400, 200 * time.Millisecond, 80},         //
		{1e7, 24 * time.Hour, 10_000_000 * 86400}, //
	} {
		require.Equal(t, row.want, until(evenPace{constantProfile(row.perSecond)}, row.end), "%v/s for %v", row.perSecond, row.end)
	}
}

// rateOf is a pointer to a rate, for a stage's end.
func rateOf(r scenarios.Rate) *scenarios.Rate { return &r }

// TestPlannedTimes holds each model to times worked out by hand.
func TestPlannedTimes(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		load scenarios.LoadSpec
		want map[int64]time.Duration // by operation
		all  int64                   // before its end
	}{
		"constant": {scenarios.LoadSpec{Model: scenarios.Constant, Rate: 100, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 1: 10 * ms, 99: 990 * ms}, 100},
		// From 0/s to 200/s in 1 s: after t seconds there were 100 t² operations, so operation n
		// is planned at the square root of n/100.
		"ramp from nothing": {scenarios.LoadSpec{Model: scenarios.Ramped, Ramp: scenarios.Ramp{To: 200}, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 1: 100 * ms, 4: 200 * ms, 25: 500 * ms, 81: 900 * ms}, 100},
		// From 100/s to 300/s in 1 s: 100 t + 100 t² = n; operation 75 at 0.5 s, 24 at 0.2 s.
		"ramp up": {scenarios.LoadSpec{Model: scenarios.Ramped, Rate: 100, Ramp: scenarios.Ramp{To: 300}, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 24: 200 * ms, 75: 500 * ms, 144: 800 * ms}, 200},
		// From 200/s to 0/s in 1 s: 200 t - 100 t² = n; operation 75 at 0.5 s, 99 at 0.9 s; the 100th never.
		"ramp down": {scenarios.LoadSpec{Model: scenarios.Ramped, Rate: 200, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 75: 500 * ms, 99: 900 * ms, 100: math.MaxInt64}, 100},
		// 10/s but for 1,000/s from 1 s to 1.5 s: 10 before, 500 within, 15 after.
		"spike": {scenarios.LoadSpec{Model: scenarios.Spiked, Rate: 10, Duration: scenarios.Duration(3 * time.Second), Spike: scenarios.Spike{Rate: 1000, At: scenarios.Duration(time.Second), For: scenarios.Duration(500 * ms)}},
			map[int64]time.Duration{9: 900 * ms, 10: 1000 * ms, 11: 1001 * ms, 509: 1499 * ms, 510: 1500 * ms, 511: 1600 * ms}, 525},
		"a pause is a spike too": {scenarios.LoadSpec{Model: scenarios.Spiked, Rate: 10, Duration: scenarios.Duration(3 * time.Second), Spike: scenarios.Spike{At: scenarios.Duration(time.Second), For: scenarios.Duration(time.Second)}},
			map[int64]time.Duration{9: 900 * ms, 10: 2000 * ms, 11: 2100 * ms}, 20},
		// 100/s for 1 s, nothing for 1 s, from 0/s to 100/s in 2 s (25 t²), and then 100/s.
		"stages": {scenarios.LoadSpec{Model: scenarios.Staged, Stages: []scenarios.Stage{
			{Rate: 100, For: scenarios.Duration(time.Second)}, {For: scenarios.Duration(time.Second)}, {To: rateOf(100), For: scenarios.Duration(2 * time.Second)}, {Rate: 100, For: scenarios.Duration(time.Second)},
		}}, map[int64]time.Duration{99: 990 * ms, 100: 2000 * ms, 101: 2200 * ms, 125: 3000 * ms, 200: 4000 * ms, 299: 4990 * ms, 300: math.MaxInt64}, 300},
		"bursts": {scenarios.LoadSpec{Model: scenarios.Bursts, Burst: scenarios.Burst{Size: 50, Every: scenarios.Duration(time.Second)}, Duration: scenarios.Duration(3 * time.Second)},
			map[int64]time.Duration{0: 0, 49: 0, 50: time.Second, 149: 2 * time.Second, 150: 3 * time.Second}, 150},
		"one burst": {scenarios.LoadSpec{Model: scenarios.Bursts, Burst: scenarios.Burst{Size: 50}},
			map[int64]time.Duration{0: 0, 49: 0, 50: math.MaxInt64}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			s := scheduleOf(row.load, 1).(*evenly)
			for n, want := range row.want {
				require.InDelta(t, float64(want), float64(s.pace.at(n)), 2, "operation %d", n)
			}
			end := row.load.Lasts()
			if end == 0 {
				end = time.Hour
			}
			require.Equal(t, row.all, s.planned(end))
			var last time.Duration
			for n := range int64(400) { // taken, they come in order
				number, at := s.take()
				require.Equal(t, n, number)
				require.GreaterOrEqual(t, at, last)
				last = at
			}
		})
	}
}

func TestRateOverTime(t *testing.T) {
	l := scenarios.LoadSpec{Model: scenarios.Staged, Stages: []scenarios.Stage{{Rate: 100, For: scenarios.Duration(time.Second)}, {Rate: 100, To: rateOf(300), For: scenarios.Duration(2 * time.Second)}}}
	s := scheduleOf(l, 1)
	for at, want := range map[time.Duration]float64{0: 100, 999 * time.Millisecond: 100, 2 * time.Second: 200, 2500 * time.Millisecond: 250, 3 * time.Second: 0} {
		require.InDelta(t, want, s.rate(at), 1e-9, "%v", at)
	}
	require.Zero(t, scheduleOf(scenarios.LoadSpec{Model: scenarios.Bursts, Burst: scenarios.Burst{Size: 1}}, 1).rate(0))
	require.Nil(t, scheduleOf(scenarios.LoadSpec{Model: scenarios.Closed}, 1))
}

// TestPoissonArrivals tests gaps against the exponential distribution (Kolmogorov and
// Smirnov), and counts in windows against the Poisson one, whose variance is its mean.
func TestPoissonArrivals(t *testing.T) {
	const rate, n = 1000.0, 100_000
	for seed := range uint64(5) {
		p := newPoisson(constantProfile(rate), seed)
		gaps := make([]float64, n)
		counts := make([]float64, n/int(rate)*10) // of 100 ms
		var last time.Duration
		for i := range gaps {
			number, at := p.take()
			require.EqualValues(t, i, number)
			gaps[i] = (at - last).Seconds()
			last = at
			if w := int(at / (100 * time.Millisecond)); w < len(counts) {
				counts[w]++
			}
		}
		// At 1%, the statistic is below 1.63 over the square root of n.
		require.Less(t, kolmogorov(gaps, func(x float64) float64 { return 1 - math.Exp(-rate*x) }), 1.63/math.Sqrt(n), "seed %d", seed)
		counts = counts[:int(last/(100*time.Millisecond))]
		mean, variance := moments(counts)
		require.InEpsilon(t, rate/10, mean, 0.02)
		require.InEpsilon(t, mean, variance, 0.2) // of a thousand windows: its own deviation is 4.5%
	}
}

// TestPoissonRamp: where the rate changes, the times at rate 1 are a Poisson process's.
func TestPoissonRamp(t *testing.T) {
	const n = 20_000
	profile := newProfile(piece{length: 100, from: 0, to: 500}) // 2.5 t²: 25,000 in all
	p := newPoisson(profile, 7)
	gaps := make([]float64, n)
	var last float64
	for i := range gaps {
		_, at := p.take()
		unit := 2.5 * at.Seconds() * at.Seconds()
		gaps[i] = unit - last
		last = unit
	}
	require.Less(t, kolmogorov(gaps, func(x float64) float64 { return 1 - math.Exp(-x) }), 1.63/math.Sqrt(n))
	require.EqualValues(t, 25_000, p.planned(100*time.Second))
	require.EqualValues(t, 6250, p.planned(50*time.Second))
	require.InDelta(t, 250, p.rate(50*time.Second), 1e-9)
}

func TestTheSeedDeterminesArrivals(t *testing.T) {
	take := func(seed uint64) (list []time.Duration) {
		p := newPoisson(constantProfile(100), seed)
		for range 50 {
			_, at := p.take()
			list = append(list, at)
		}
		return list
	}
	require.Equal(t, take(3), take(3))
	require.NotEqual(t, take(3), take(4))
}

// kolmogorov is the statistic of Kolmogorov and Smirnov: the largest distance between a
// sample's distribution and another one.
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

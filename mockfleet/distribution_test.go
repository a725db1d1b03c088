package mockfleet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDistributions(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		text string
		want string // as it is written; "" is an error
	}{
		{"", "0s"},
		{"0", "0s"},
		{"0s", "0s"},
		{"5ms", "5ms"},
		{" 1m30s ", "1m30s"},
		{"1h", "1h0m0s"},
		{"uniform(1ms, 5ms)", "uniform(1ms, 5ms)"},
		{"uniform( 1ms,5ms )", "uniform(1ms, 5ms)"},
		{"uniform(0s, 0s)", "uniform(0s, 0s)"},
		{"lognormal(p50=5ms, p99=50ms)", "lognormal(p50=5ms, p99=50ms)"},
		{"lognormal(p50=5ms,p99=5ms)", "lognormal(p50=5ms, p99=5ms)"},
		{"5", ""}, {"-5ms", ""}, {"1h1ns", ""}, {"fixed(5ms)", ""}, {"often", ""},
		{"uniform(5ms, 1ms)", ""}, {"uniform(5ms)", ""}, {"uniform(1ms, 2ms, 3ms)", ""}, {"uniform(1ms, 2ms", ""},
		{"uniform(1ms, 2h)", ""}, {"uniform(-1ms, 2ms)", ""}, {"uniform(p50=1ms, p99=2ms)", ""}, {"uniform(,)", ""},
		{"lognormal(5ms, 50ms)", ""}, {"lognormal(p99=50ms, p50=5ms)", ""}, {"lognormal(p50=0s, p99=5ms)", ""},
		{"lognormal(p50=50ms, p99=5ms)", ""}, {"lognormal(p50=5ms, p99=50ms) x", ""},
	}
	for _, test := range tests {
		d, err := ParseDistribution(test.text)
		if test.want == "" {
			require.Error(t, err, test.text)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, d.String())
	}

	d, err := Lognormal(5*ms, 50*ms)
	require.NoError(t, err)
	// The quantiles that define it, and one worked out by hand: ln 10 / 2.32635 = 0.98979 is sigma,
	// and the normal quantile at 0.841345 is 1, so exp(0.98979) * 5 ms = 13.453 ms.
	require.InDelta(t, 5*ms, d.Sample(0.5), 1)
	require.InDelta(t, 50*ms, d.Sample(0.99), 10)
	require.InDelta(t, 13.453, d.Sample(0.8413447460685429).Seconds()*1000, 0.001)
	require.Equal(t, time.Duration(0), d.Sample(0))
	require.Equal(t, MaxDelay, d.Sample(1))

	d, err = Uniform(10*ms, 20*ms)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{10 * ms, 12500 * time.Microsecond, 20 * ms}, []time.Duration{d.Sample(0), d.Sample(0.25), d.Sample(1)})
	d, err = Fixed(5 * ms)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{5 * ms, 5 * ms}, []time.Duration{d.Sample(0.001), d.Sample(0.999)})
	_, err = Fixed(-1)
	require.Error(t, err)
	require.Zero(t, Distribution{}.Sample(0.5))
}

func FuzzParseDistribution(f *testing.F) {
	for _, seed := range []string{"", "5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)", "uniform(", "1h1ns", "lognormal(p50=1ns,p99=1h)"} {
		f.Add(seed, 0.5)
	}
	f.Fuzz(func(t *testing.T, text string, u float64) {
		d, err := ParseDistribution(text)
		if err != nil {
			require.Zero(t, d)
			return
		}
		again, err := ParseDistribution(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
		if u > 0 && u < 1 {
			sample := d.Sample(u)
			require.GreaterOrEqual(t, sample, time.Duration(0))
			require.LessOrEqual(t, sample, MaxDelay)
		}
	})
}

// The vectors are those that the authors of SplitMix64 publish for the seed 1234567.
func TestSplitmix64(t *testing.T) {
	const golden = 0x9e3779b97f4a7c15
	state := uint64(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		require.Equal(t, want, splitmix64(state))
		state += golden
	}
}

func TestDrawDependsOnItsArgumentsAlone(t *testing.T) {
	type key struct {
		seed    uint64
		device  int
		attempt uint32
	}
	var keys []key
	for seed := range uint64(10) {
		for device := range 50 {
			for attempt := range uint32(20) {
				keys = append(keys, key{seed, device, attempt + 1})
			}
		}
	}
	first := make(map[key]float64)
	seen := make(map[float64]key)
	for _, k := range keys {
		u := draw(k.seed, k.device, k.attempt, purposeLatency)
		require.True(t, u > 0 && u < 1, u)
		if other, known := seen[u]; known {
			require.Fail(t, "two draws are the same", "%v and %v", k, other)
		}
		first[k], seen[u] = u, k
	}
	for _, k := range slices.Backward(keys) {
		require.Equal(t, first[k], draw(k.seed, k.device, k.attempt, purposeLatency))
	}
	// 10,000 draws: the share below q is within 5 standard deviations of q.
	for _, q := range []float64{0.01, 0.1, 0.5, 0.9, 0.99} {
		below := 0
		for u := range seen {
			if u < q {
				below++
			}
		}
		require.InDelta(t, q, float64(below)/1e4, 5*math.Sqrt(q*(1-q)/1e4))
	}
}

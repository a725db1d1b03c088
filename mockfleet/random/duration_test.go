package random

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDuration(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		text string
		want string // the text form; "" if there is an error
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
		d, err := ParseDuration(test.text)
		if test.want == "" {
			require.Error(t, err, test.text)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, d.String())
	}

	d, err := Lognormal(5*ms, 50*ms)
	require.NoError(t, err)
	// The two quantiles that define the distribution, and one worked out by hand: ln 10 / 2.32635 =
	// 0.98979 is sigma, and the normal quantile at 0.841345 is 1, so exp(0.98979) * 5 ms = 13.453
	// ms.
	require.InDelta(t, 5*ms, d.Sample(0.5), 1)
	require.InDelta(t, 50*ms, d.Sample(0.99), 10)
	require.InDelta(t, 13.453, d.Sample(0.8413447460685429).Seconds()*1000, 0.001)
	require.Equal(t, time.Duration(0), d.Sample(0))
	require.Equal(t, MaxDuration, d.Sample(1))

	d, err = Uniform(10*ms, 20*ms)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{10 * ms, 12500 * time.Microsecond, 20 * ms},
		[]time.Duration{d.Sample(0), d.Sample(0.25), d.Sample(1)})
	d, err = Fixed(5 * ms)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{5 * ms, 5 * ms}, []time.Duration{d.Sample(0.001), d.Sample(0.999)})
	_, err = Fixed(-1)
	require.Error(t, err)
	require.Zero(t, Duration{}.Sample(0.5))
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"", "5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)", "uniform(", "1h1ns",
		"lognormal(p50=1ns,p99=1h)"} {
		f.Add(seed, 0.5)
	}
	f.Fuzz(func(t *testing.T, text string, u float64) {
		d, err := ParseDuration(text)
		if err != nil {
			require.Zero(t, d)
			return
		}
		again, err := ParseDuration(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
		if u > 0 && u < 1 {
			sample := d.Sample(u)
			require.GreaterOrEqual(t, sample, time.Duration(0))
			require.LessOrEqual(t, sample, MaxDuration)
		}
	})
}

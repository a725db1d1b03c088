package results

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTolerances_check(t *testing.T) {
	for metric, c := range map[string]struct {
		share float64
		want  string // of the error; "" for none
	}{
		UnitMean:          {0.05, ""},
		UnitP99:           {10, ""},
		UnitRate:          {0.3, ""},
		"ns/ops":          {0.05, `"ns/ops": no such metric: want one of `},
		"requests/device": {0.05, "requests/device is compared exactly, without a tolerance: want one of "},
		UnitMax:           {0.05, UnitMax + " isn't judged"},
		UnitP90:           {0, "0: want a share above 0"},
		UnitBytes:         {-0.1, "-0.1: want a share above 0"},
		UnitCPU:           {10.5, "10.5: want a share above 0 and at most 10"},
		UnitPeakMemory:    {math.NaN(), "NaN: want a share"},
	} {
		err := Tolerances{metric: c.share}.Check(metric)
		if c.want == "" {
			require.NoError(t, err, metric)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
}

func TestTolerances_apply(t *testing.T) {
	mean, _ := LookupUnit(UnitMean)
	changed := Tolerances{UnitMean: 0.4, UnitP99: 0.1}.Apply(mean)
	require.Equal(t, 0.4, changed.Tolerance)
	require.Equal(t, 0.4, changed.Sequential.Relative)
	require.Equal(t, mean.Sequential.Slack, changed.Sequential.Slack)

	rate, _ := LookupUnit(UnitRate)
	require.True(t, Tolerances{UnitRate: 0.4}.Apply(rate).Sequential.IsZero(), "sides that take turns don't test it")
	require.Equal(t, rate, Tolerances{UnitMean: 0.4}.Apply(rate))
	exact, _ := LookupUnit("requests/device")
	require.Equal(t, exact, Tolerances{"requests/device": 0.4}.Apply(exact))
}

package results

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

func TestOperations_String(t *testing.T) {
	for want, o := range map[string]Operations{
		"82,122 started, 0 succeeded, 82,122 failed": {Started: 82122, Failed: 82122},
		"150 planned, 150 started, 138 succeeded, 12 failed; 134 ended within the 3s of the plan, and the drain took 9.70s": {
			Planned: 150, Started: 150, Succeeded: 138, Failed: 12, PlanNS: 3e9, DrainNS: 97e8, EndedInPlan: 134,
			SucceededInPlan: 134},
		"20 planned, 6 started, 4 succeeded, 0 failed, 14 not sent, 2 broken off; 0 ended within the 1s of the plan": {
			Planned: 20, Started: 6, Succeeded: 4, NotSent: 14, BrokenOff: 2, PlanNS: 1e9},
	} {
		require.Equal(t, want, o.String())
	}
	worst, repetition := WorstOperations([]Operations{{Failed: 1}, {NotSent: 5}, {Failed: 3, BrokenOff: 1}})
	require.EqualValues(t, []int64{2, 5}, []int64{int64(repetition), worst.NotSent})
	_, repetition = WorstOperations(nil)
	require.Zero(t, repetition)
}

func TestWave_String(t *testing.T) {
	stopped := Rollout{Stopped: true, Waves: []Wave{
		{Number: 1, Share: 0.01, Size: 5, Reached: 4, Updated: 4, SoakNS: 1e9, Ended: true, Why: "passed: …"},
		{Number: 2, Share: 0.1, Size: 45, Reached: 27, Updated: 21, Failed: 6, Ended: true, Stopped: true, Why: "stopped: …"},
	}}
	worst, repetition := WorstRollout([]Rollout{{Waves: []Wave{{Updated: 500}}}, stopped})
	require.Equal(t, 2, repetition)
	require.Equal(t, stopped, worst)
	require.Equal(t, "wave 1 (1%): 4 devices reached, 4 updated, 0 failed, soaked for 1.00s: passed: …",
		stopped.Waves[0].String())
}

// TestCounts_plural checks the plural of nouns, and the commas of large numbers.
func TestCounts_plural(t *testing.T) {
	require.Equal(t, "1 device, 1 updated, 0 failed, 0 lost, 0 applied twice", Counts{Devices: 1, Updated: 1}.String())
	require.Equal(t, "2 devices, 1 updated, 1 failed, 0 lost, 0 applied twice",
		Counts{Devices: 2, Updated: 1, Failed: 1}.String())
	for want, n := range map[string]int64{"0": 0, "999": 999, "1,000": 1000, "82,122": 82122, "1,234,567": 1234567,
		"-1,000": -1000} {
		require.Equal(t, want, plaintext.Thousands(n))
	}
}

// TestFormatValue_sharesAndSlowRates checks that shares are shown in percent, and slow rates in a
// unit in which they aren't tiny.
func TestFormatValue_sharesAndSlowRates(t *testing.T) {
	for _, row := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0.012, "failed/fleet", "1.2%"}, {0.5, "updated/fleet", "50%"}, {1, "reached/fleet", "100%"},
		{0, "failed/device", "0%"},
		{13.0 / 150, "failed/device", "8.66667%"}, {1e-6, "failed/device", "0.0001%"},
		{0.0154, "ops/s", "55.4/h"}, {0.05, "ops/s", "3.00/min"}, {0.3, "ops/s", "0.300/s"}, {1, "limit-ops/s", "1.00/s"},
		{0, "ops/s", "0/s"},
		{1.58e-5, "MB/s", "15.8B/s"}, {0.00102, "MB/s", "1.02kB/s"}, {0.103, "MB/s", "103kB/s"}, {1.45, "MB/s", "1.45MB/s"},
		{1, "stopped", "1"},
	} {
		require.Equal(t, row.want, FormatValue(row.value, row.unit), "%v %s", row.value, row.unit)
	}
}

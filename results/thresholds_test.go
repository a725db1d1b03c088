package results

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThreshold_comparison(t *testing.T) {
	for _, row := range []struct {
		value      float64
		comparison string
		limit      float64
		want       bool
	}{
		{1, "<", 2, true}, {2, "<", 2, false}, {2, "<=", 2, true}, {3, "<=", 2, false}, {3, ">", 2, true}, {2, ">", 2, false},
		{2, ">=", 2, true}, {1, ">=", 2, false}, {2, "==", 2, true}, {1, "==", 2, false}, {1, "!=", 2, true},
		{2, "!=", 2, false},
		{1, "~", 1, false}, {1, "", 1, false},
	} {
		require.Equal(t, row.want, Threshold{Comparison: row.comparison, Limit: row.limit}.Keeps(row.value), "%v %s %v",
			row.value, row.comparison, row.limit)
	}
}

func TestThresholdSummary(t *testing.T) {
	list := []ThresholdOutcome{
		{Threshold: "p99-ns/op{op=push} < 20ms", Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true,
			Held: true},
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.25, Samples: 3, Measured: true},
		{Threshold: "MB/s > 1", Op: "verify", Unit: "MB/s"},
	}
	require.Equal(t, "2 of 3 thresholds failed: failed/device == 0 (25%), MB/s > 1 (not measured)", ThresholdSummary(list))
	require.Empty(t, ThresholdSummary(list[:1]))
}

// TestThresholdOutcome_MarshalJSON checks that a value is null only if it wasn't measured.
func TestThresholdOutcome_MarshalJSON(t *testing.T) {
	for want, o := range map[string]ThresholdOutcome{
		`{"threshold":"a","op":"push","unit":"ns/op","value":null,"samples":0,"measured":false,"held":false}`: {Threshold: "a", Op: "push", Unit: "ns/op"},
		`{"threshold":"a","op":"push","unit":"ns/op","value":0,"samples":1,"measured":true,"held":true}`:      {Threshold: "a", Op: "push", Unit: "ns/op", Samples: 1, Measured: true, Held: true},
	} {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		var again ThresholdOutcome
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, o, again)
	}
}

func TestUndecidedThresholds(t *testing.T) {
	list := []ThresholdOutcome{
		{Threshold: "p99.9-ns/op < 1s", Unit: "p99.9-ns/op", Value: 1e6, Measured: true,
			Undecided: "8 operations: a p99.9 wants 10,000"},
		{Threshold: "failed/device == 0", Unit: "failed/device", Measured: true, Held: true},
	}
	require.Empty(t, FailedThresholds(list))
	require.Empty(t, ThresholdSummary(list))
	require.Equal(t, "1 of 2 thresholds is inconclusive: p99.9-ns/op < 1s (8 operations: a p99.9 wants 10,000)",
		UndecidedSummary(list))
	require.Empty(t, UndecidedSummary(list[1:]))
}

// TestThresholdOutcome_windows checks what is said of windows.
func TestThresholdOutcome_windows(t *testing.T) {
	breach := func(start, end int64, failed bool) Breach {
		return Breach{Repetition: 2, StartNS: start * 1e9, EndNS: end * 1e9, Windows: end - start, Failed: failed}
	}
	of := func(held, measured bool, w WindowsOutcome) ThresholdOutcome {
		w.WidthNS, w.InRow = 1e9, 2
		return ThresholdOutcome{Threshold: "T", Unit: UnitP99, Value: 4.2e9, Held: held, Measured: measured, Windows: &w}
	}
	for _, c := range []struct {
		outcome      ThresholdOutcome
		result, says string
	}{
		{of(true, true, WindowsOutcome{Judged: 3}), "held", ""},
		{of(true, true, WindowsOutcome{Judged: 1200, Broken: 1, Breaches: []Breach{breach(1, 2, false)}}),
			"held: 1 of 1200 windows broke the limit, but never 2 in a row", ""},
		{of(false, true, WindowsOutcome{Judged: 10, Broken: 3, Stalled: 1,
			Breaches: []Breach{breach(1, 2, false), breach(3, 5, true)}}),
			"failed in 3 of 10 windows, from 3s to 5s of repetition 2; nothing succeeded in 1 of them",
			"1 of 1 threshold failed: T (4.20s at worst, in 3 of 10 windows, from 3s to 5s of repetition 2; " +
				"nothing succeeded in 1 of them)"},
		{of(false, false, WindowsOutcome{Judged: 2, Broken: 2, Stalled: 2, EndedRun: true,
			Breaches: []Breach{breach(0, 2, true)}}),
			"failed in 2 of 2 windows, from 0s to 2s of repetition 2; nothing succeeded in them: the run was ended early (abort: true)",
			"1 of 1 threshold failed: T (in 2 of 2 windows, from 0s to 2s of repetition 2; nothing succeeded in them): " +
				"the run was ended early (abort: true)"},
		{of(false, true, WindowsOutcome{Judged: 18, Broken: 2, Stalled: 2, Breaches: []Breach{breach(3, 5, true)}}),
			"failed in 2 of 18 windows, from 3s to 5s of repetition 2; nothing succeeded in them",
			"1 of 1 threshold failed: T (in 2 of 18 windows, from 3s to 5s of repetition 2; nothing succeeded in them)"},
		{of(false, true, WindowsOutcome{Judged: 99, Broken: 8, Breaches: []Breach{breach(0, 2, true), breach(3, 5, true),
			breach(61, 63, true), breach(70, 72, true)}}),
			"failed in 8 of 99 windows, from 0s to 2s of repetition 2, from 3s to 5s of repetition 2, " +
				"from 1m1s to 1m3s of repetition 2, and more",
			"1 of 1 threshold failed: T (4.20s at worst, in 8 of 99 windows, from 0s to 2s of repetition 2, " +
				"from 3s to 5s of repetition 2, from 1m1s to 1m3s of repetition 2, and more)"},
	} {
		text, verdict := c.outcome.Result()
		require.Equal(t, c.result, text)
		require.Equal(t, c.says == "", verdict == Pass)
		require.Equal(t, c.says, ThresholdSummary([]ThresholdOutcome{c.outcome}))
		written, err := json.Marshal(c.outcome)
		require.NoError(t, err)
		var back ThresholdOutcome
		require.NoError(t, json.Unmarshal(written, &back))
		require.Equal(t, c.outcome.Windows, back.Windows)
	}
}

func TestUnit_Windowed(t *testing.T) {
	var names []string
	for _, u := range Units() {
		if u.Windowed() {
			names = append(names, u.Name)
		}
	}
	require.Equal(t, []string{
		"ns/op", "p50-ns/op", "p75-ns/op", "p90-ns/op", "p95-ns/op", "p99-ns/op", "p99.9-ns/op", "max-ns/op",
		"service-p99-ns/op", "ops/s", "MB/s", "failed/device",
	}, names)
}

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

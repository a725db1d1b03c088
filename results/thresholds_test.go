package results

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeld(t *testing.T) {
	for _, row := range []struct {
		value      float64
		comparison string
		limit      float64
		want       bool
	}{
		{1, "<", 2, true}, {2, "<", 2, false}, {2, "<=", 2, true}, {3, "<=", 2, false}, {3, ">", 2, true}, {2, ">", 2, false},
		{2, ">=", 2, true}, {1, ">=", 2, false}, {2, "==", 2, true}, {1, "==", 2, false}, {1, "!=", 2, true}, {2, "!=", 2, false},
		{1, "~", 1, false}, {1, "", 1, false},
	} {
		require.Equal(t, row.want, Held(row.value, row.comparison, row.limit), "%v %s %v", row.value, row.comparison, row.limit)
	}
}

func TestThresholdTables(t *testing.T) {
	list := []ThresholdOutcome{
		{Threshold: "p99-ns/op{op=push} < 20ms", Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true, Held: true},
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.25, Samples: 3, Measured: true},
		{Threshold: "MB/s > 1", Op: "verify", Unit: "MB/s"},
	}
	var text, markdown bytes.Buffer
	require.NoError(t, WriteThresholds(&text, list, TableOptions{}))
	require.Equal(t, `threshold                  measured  result
─────────────────────────────────────────────────────────
p99-ns/op{op=push} < 20ms    11.0ms  held
failed/device == 0             0.25  failed
MB/s > 1                          –  failed: not measured
`, text.String())
	require.NoError(t, WriteThresholdsMarkdown(&markdown, list))
	require.Contains(t, markdown.String(), "**failed**")
	require.Contains(t, markdown.String(), "held")
	require.Equal(t, "2 of 3 thresholds failed: failed/device == 0 (0.25), MB/s > 1 (not measured)", ThresholdSummary(list))
	require.Empty(t, ThresholdSummary(list[:1]))
	text.Reset()
	require.NoError(t, WriteThresholds(&text, nil, TableOptions{}))
	require.Empty(t, text.String())
}

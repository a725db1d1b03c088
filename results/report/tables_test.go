package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// shown returns a table as a terminal shows it.
func shown(t *testing.T, table *Table, style texttable.Style) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, style.Write(&text, table.text(style)))
	return text.String()
}

func TestThresholdTable(t *testing.T) {
	table := ThresholdTable([]results.ThresholdOutcome{
		{Threshold: "p99-ns/op{op=push} < 20ms", Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true,
			Held: true},
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.25, Samples: 3, Measured: true},
		{Threshold: "MB/s > 1", Op: "verify", Unit: "MB/s"},
		{Threshold: "p99.9-ns/op < 1s", Unit: "p99.9-ns/op", Value: 1e6, Measured: true,
			Undecided: "8 operations: a p99.9 wants 10,000"},
	})
	require.Equal(t, `threshold                  measured  result
─────────────────────────────────────────────────────────────────────────────────────
p99-ns/op{op=push} < 20ms    11.0ms  held
failed/device == 0              25%  failed
MB/s > 1                          –  failed: not measured
p99.9-ns/op < 1s             1.00ms  inconclusive: 8 operations: a p99.9 wants 10,000
`, shown(t, table, texttable.Style{}))
	require.Contains(t, shown(t, table, texttable.Style{Color: true}), "\x1b[31mfailed: not measured\x1b[0m")
	var page bytes.Buffer
	require.NoError(t, table.markdown(markdown.Escape, markdown.Code).Markdown(&page))
	require.Contains(t, page.String(), "| **failed: not measured** ")
	require.Contains(t, page.String(), "| held ")
	table.Strong = false
	page.Reset()
	require.NoError(t, table.markdown(markdown.Escape, markdown.Code).Markdown(&page))
	require.Contains(t, page.String(), "| **failed**: not measured ")
}

func TestWaveTable(t *testing.T) {
	run := rundir.Loaded{Run: results.Run{Rollouts: []results.Rollout{
		{Waves: []results.Wave{{Updated: 500}}},
		{Stopped: true, Waves: []results.Wave{
			{Number: 1, Share: 0.01, Size: 5, Reached: 4, Updated: 4, SoakNS: 1e9, Ended: true, Why: "passed: …"},
			{Number: 2, Share: 0.1, Size: 45, Reached: 27, Updated: 21, Failed: 6, Ended: true, Stopped: true,
				Why: "stopped: …"},
		}},
	}}}
	table := (&Result{Run: &run}).WaveTable()
	require.Equal(t, "Waves of repetition 2, the worst of 2", table.Label)
	require.Equal(t, `wave  share  size  reached  updated  failed   soak  what came of it
───────────────────────────────────────────────────────────────────
1        1%     5        4        4       0  1.00s  passed: …
2       10%    45       27       21       6      –  stopped: …
`, shown(t, table, texttable.Style{}))
	require.Equal(t, `wave  reached  updated  failed  what came of it
───────────────────────────────────────────────
1           4        4       0  passed: …
2          27       21       6  stopped: …
left out: share, size, soak; COLUMNS=67 shows all
`, shown(t, table, texttable.Style{Width: 48}))
}

// TestTableFootnotes checks that equal footnotes share a number, and that notes are written in
// order.
func TestTableFootnotes(t *testing.T) {
	var table Table
	require.Equal(t, []int{1, 2, 1}, []int{table.footnote("a"), table.footnote("b"), table.footnote("a")})
	var text bytes.Buffer
	table.notes(&text, "- ", markdown.Escape)
	require.Equal(t, "- (1) a\n- (2) b\n", text.String())
}

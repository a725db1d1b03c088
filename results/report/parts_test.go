package report_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// TestPartsAreInEveryForm checks that the groups and waves of a run are in the pages and in JSON.
func TestPartsAreInEveryForm(t *testing.T) {
	d := documentOf(wholeInput())
	var markdown, html, object bytes.Buffer
	require.NoError(t, report.Markdown(&markdown, d))
	require.NoError(t, htmlpage.Write(&html, d, ""))
	for _, heading := range []string{"By group", "By wave"} {
		require.Contains(t, markdown.String(), "\n## "+heading+"\n")
		require.Contains(t, html.String(), heading)
	}
	require.Regexp(t, `(?m)^\| slow +\| +4 \| +3 \| +1 \| +3 \| +1 \| 5.00ms \(of 3\) \|`, markdown.String())
	require.Contains(t, markdown.String(), "Groups of devices on both sides, not judged:")

	d.Mode = report.ModeRun
	require.NoError(t, report.JSON(&object, d))
	type side struct{ Groups []results.GroupSummary }
	var run struct {
		Groups  []results.GroupSummary
		Results []struct{ Now, Base side }
	}
	require.NoError(t, json.Unmarshal(object.Bytes(), &run))
	require.Equal(t, []results.GroupSummary{
		{
			Name: "slow", Counts: results.Counts{Devices: 4, Updated: 3, Failed: 1}, Succeeded: 3, Failed: 1,
			Failures: map[string]int64{"timeout": 1},
			Metrics:  map[string]map[string]float64{"push": {"p50-ns/op": 5e6, "failed/device": 0.25}},
		},
		{
			Name: "rest", Counts: results.Counts{Devices: 6, Updated: 6}, Succeeded: 6,
			Metrics: map[string]map[string]float64{"push": {"p50-ns/op": 1e6}},
		},
	}, run.Groups)
	require.Equal(t, run.Groups, run.Results[0].Now.Groups)
	require.Equal(t, run.Groups, run.Results[0].Base.Groups)
}

package rundir

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestLoadWarnsOfMissingSamples(t *testing.T) {
	d, run := newDirectory(t), testRun()
	run.Status, run.Repetitions = results.StatusFinished, 3
	require.NoError(t, d.WriteRun(run))
	records := rolloutRecords(1, 3, 1)
	require.NoError(t, d.AppendRepetition(records[:5])) // push, verify, push, verify, push
	require.NoError(t, d.WriteRun(run))
	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(strings.Join(loaded.Warnings, "\n"), "3 repetitions were completed"))
	require.Contains(t, strings.Join(loaded.Warnings, "\n"), "2 samples of verify")

	require.NoError(t, d.AppendRepetition(records[5:]))
	require.NoError(t, d.WriteRun(run))
	loaded, err = Load(d.Path())
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
}

// TestLoadCountsFailures checks that records have the numbers of failed and unsent operations that
// run.json counts. In an old run without these, the number of failures is estimated from shares.
func TestLoadCountsFailures(t *testing.T) {
	records := []results.Record{
		{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 2, Failed: 1_000_000, NotSent: 5, Values: []results.Value{
			{Unit: "ns/op", Value: 1000}, {Unit: "failed/device", Value: 1_000_000.0 / 1_000_002},
		}},
		{Scenario: "rollout", Op: "push", Repetition: 2, Ops: 30, Failed: 10,
			Values: []results.Value{{Unit: "ns/op", Value: 1000}, {Unit: "failed/device", Value: 0.25}}},
	}
	for name, c := range map[string]struct {
		operations []results.Operations
		want       [][2]int64
	}{
		"counted": {[]results.Operations{{Succeeded: 2, Failed: 1_000_000, NotSent: 5}, {Succeeded: 30, Failed: 10}},
			[][2]int64{{1_000_000, 5}, {10, 0}}},
		"old": {nil, [][2]int64{{1_000_000, 0}, {10, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			run := testRun()
			run.Repetitions, run.Operations, run.Status = 2, c.operations, results.StatusFinished
			require.NoError(t, d.WriteRun(run))
			require.NoError(t, d.AppendRepetition(records))
			require.NoError(t, d.WriteRun(run))
			loaded, err := Load(d.Path())
			require.NoError(t, err)
			require.Len(t, loaded.Records, 2)
			for i, r := range loaded.Records {
				require.Equal(t, c.want[i], [2]int64{r.Failed, r.NotSent})
			}
			if c.operations != nil {
				require.Equal(t, records, loaded.Records)
			}
		})
	}
}

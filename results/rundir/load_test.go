package rundir

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestLoadTellsOfMissingSamples(t *testing.T) {
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

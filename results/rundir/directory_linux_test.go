package rundir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestCreateOnAReadOnlyFileSystem uses /proc, in which not even root can make a directory.
func TestCreateOnAReadOnlyFileSystem(t *testing.T) {
	for _, parent := range []string{"/proc", "/proc/runs", "/proc/a/b"} {
		_, err := Create(parent, "rollout", testStart, "1a2b3c")
		requireInput(t, err, 0, parent+": no run directory can be made in it")
	}
}

// TestAppendSamplesOnAFullDisk writes to /dev/full, on which every write fails.
func TestAppendSamplesOnAFullDisk(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(d.Path(), SamplesFile)))
	first := d.AppendRepetition(sample("x", 1))
	require.ErrorContains(t, first, "no space left")
	require.ErrorContains(t, d.AppendRepetition(sample("x", 1)), "no space left", "later calls fail too")
	require.NoError(t, os.Remove(filepath.Join(d.Path(), SamplesFile)))
	d.mu.Lock() // take the device out of the directory, since Close couldn't flush it
	require.NoError(t, d.files[SamplesFile].Close())
	delete(d.files, SamplesFile)
	d.mu.Unlock()
}

// TestAppendRepetitionIsAllOrNothing checks that if one file can't be written, the others stay as
// they were.
func TestAppendRepetitionIsAllOrNothing(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	records := rolloutRecords(1, 2, 1)
	require.NoError(t, d.AppendRepetition(records[:2], Chunk{Name: LatencyFile, Data: []byte("one\n")}))
	run := testRun()
	run.Repetitions = 1
	require.NoError(t, d.WriteRun(run))
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(d.Path(), FailuresFile)))
	err := d.AppendRepetition(records[2:], Chunk{Name: LatencyFile, Data: []byte("two\n")},
		Chunk{Name: FailuresFile, Data: []byte("{}\n")})
	require.ErrorContains(t, err, FailuresFile+": no space left on device")
	require.NoError(t, os.Remove(filepath.Join(d.Path(), FailuresFile)))
	d.mu.Lock() // as above
	require.NoError(t, d.files[FailuresFile].Close())
	delete(d.files, FailuresFile)
	d.mu.Unlock()
	run.Status = results.StatusFailed
	require.NoError(t, d.WriteRun(run))
	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
	require.Equal(t, records[:2], loaded.Records)
	latency, err := os.ReadFile(filepath.Join(d.Path(), LatencyFile))
	require.NoError(t, err)
	require.Equal(t, "one\n", string(latency))
}

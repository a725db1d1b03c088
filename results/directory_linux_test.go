package results

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCreateRunDirectoryOnAReadOnlyFileSystem uses /proc, which takes no directory
// from anyone, root among them.
func TestCreateRunDirectoryOnAReadOnlyFileSystem(t *testing.T) {
	for _, parent := range []string{"/proc", "/proc/runs", "/proc/a/b"} {
		_, err := CreateRunDirectory(parent, "rollout", testStart, "1a2b3c")
		requireInput(t, err, 0, parent+": no run directory can be made in it")
	}
}

// TestAppendSamplesOnAFullDisk writes to /dev/full, which takes nothing.
func TestAppendSamplesOnAFullDisk(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(d.Path(), SamplesFile)))
	first := d.AppendSamples(sample("x", 1)...)
	require.ErrorContains(t, first, "no space left")
	require.ErrorContains(t, d.AppendSamples(sample("x", 1)...), "no space left", "and it stays so")
	require.NoError(t, os.Remove(filepath.Join(d.Path(), SamplesFile)))
	d.mu.Lock() // the device can't be flushed either; it isn't the directory's to close
	require.NoError(t, d.files[SamplesFile].Close())
	delete(d.files, SamplesFile)
	d.mu.Unlock()
}

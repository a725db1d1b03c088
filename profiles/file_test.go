package profiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
)

// TestProfileWithoutSamples checks that a profile without samples, of a repetition that waited for
// no lock, is written all the same. It is made by hand, because real mutex profiles also hold the
// runtime's own locks.
func TestProfileWithoutSamples(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mutex.1.pb.gz")
	p := &profile.Profile{SampleType: []*profile.ValueType{
		{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}}}
	require.NoError(t, profiles.WriteProfile(path, profiles.Mutex, p))
	back, err := profiles.Load(path)
	require.NoError(t, err)
	require.Empty(t, back.Sample)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())

	heap := filepath.Join(t.TempDir(), "heap.1.pb.gz")
	require.ErrorContains(t, profiles.WriteProfile(heap, profiles.Heap, p), "sample types are not those of heap")
	require.NoFileExists(t, heap)
}

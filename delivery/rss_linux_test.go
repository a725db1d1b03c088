//go:build linux && !race

package delivery

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMemoryOfALargeArtifact checks that pushing 1 GiB adds at most 8 MiB of resident memory, over
// both transports.
func TestMemoryOfALargeArtifact(t *testing.T) {
	const size, most = 1 << 30, 8 << 20
	path := filepath.Join(t.TempDir(), "firmware.bin")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, size)) // a sparse file, which takes no disk space
	file, err := OpenArtifact(t.Context(), path)
	require.NoError(t, err)
	defer file.Close()
	u, err := NewUpdate("2", file)
	require.NoError(t, err)
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newFixedDevice(t, u).Device
		require.NoError(t, c.Verify(t.Context(), dev, u)) // allocates what any operation needs
		debug.FreeOSMemory()
		require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // resets the peak
		before := peakResident(t)
		require.NoError(t, c.Push(t.Context(), dev, u))
		require.LessOrEqual(t, peakResident(t)-before, most)
	})
}

// peakResident returns the peak of the process's resident memory, in bytes.
func peakResident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	require.True(t, found)
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kilobytes << 10
}

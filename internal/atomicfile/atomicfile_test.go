package atomicfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"one", "", "three"} {
		require.NoError(t, Check(path))
		require.NoError(t, Write(path, []byte(text)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	requireAlone(t, path)
}

// requireAlone checks that a file is the only one in its directory.
func requireAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, filepath.Base(path), entries[0].Name())
}

func TestWrite_refused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "taken")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for path, problem := range map[string]string{
		dir:                                "is a directory",
		filepath.Join(dir, "none", "file"): "no such file or directory",
	} {
		require.ErrorContains(t, Check(path), problem)
		require.ErrorContains(t, Write(path, nil), path)
		require.ErrorContains(t, Write(path, nil), problem)
	}
	requireAlone(t, dir)
}

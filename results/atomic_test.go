package results

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCanWrite(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, CanWrite(filepath.Join(dir, "page.md")))
	require.ErrorContains(t, CanWrite(dir), "is a directory")
	require.ErrorContains(t, CanWrite(filepath.Join(dir, "nowhere", "page.md")), "can't be written")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

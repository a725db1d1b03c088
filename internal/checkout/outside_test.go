package checkout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlaceOutsiders checks that a relative path out of the repository leads to the same directory from
// the base, even one that goes up more often than there are directories, and that nothing is written
// elsewhere for it.
func TestPlaceOutsiders(t *testing.T) {
	above, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	repository := filepath.Join(above, "repository")
	depth := strings.Count(filepath.ToSlash(repository), "/")
	fromRoot, err := filepath.Rel(filepath.VolumeName(above)+string(filepath.Separator), above)
	require.NoError(t, err)
	for name, dep := range map[string]string{
		"beside":         "../dep",
		"from the root":  strings.Repeat("../", depth) + filepath.ToSlash(fromRoot) + "/dep",
		"above the root": strings.Repeat("../", depth+2) + filepath.ToSlash(fromRoot) + "/dep",
	} {
		t.Run(name, func(t *testing.T) {
			around := t.TempDir()
			base := &Tree{Side: Base, Root: filepath.Join(around, "work", "tree")}
			for _, dir := range []string{repository, filepath.Join(above, "dep"), base.Root} {
				require.NoError(t, os.MkdirAll(dir, 0o700))
			}
			require.NoError(t, os.WriteFile(filepath.Join(above, "dep", "name"), []byte("beside"), 0o600))
			mod := "module example.com/a\n\nreplace example.com/dep => " + dep + "\n"
			require.NoError(t, os.WriteFile(filepath.Join(base.Root, "go.mod"), []byte(mod), 0o600))
			require.NoError(t, placeOutsiders(base, repository, "."))
			text, err := os.ReadFile(filepath.Join(base.Root, filepath.FromSlash(dep), "name"))
			require.NoError(t, err)
			require.Equal(t, "beside", string(text))
			for dir, want := range map[string]string{around: "work", filepath.Join(around, "work"): "tree-beside"} {
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Len(t, entries, 1)
				require.Equal(t, want, entries[0].Name())
			}
		})
	}
}

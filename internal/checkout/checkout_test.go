package checkout

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newRepository makes a git repository with one commit of the files.
func newRepository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	run(t, dir, "init", "-q", "-b", "main")
	commit(t, dir, files)
	return dir
}

func commit(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	run(t, dir, "add", "-A")
	run(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "change")
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

func TestWriteWritesEveryFileOfTheCommit(t *testing.T) {
	dir := newRepository(t, map[string]string{
		"a.go": "one", "sub dir/b.txt": "b", "hidden.txt": "export-ignore hides it from git archive",
		".gitattributes": "hidden.txt export-ignore\n",
	})
	old := run(t, dir, "rev-parse", "HEAD")
	commit(t, dir, map[string]string{"a.go": "two", "new.go": "n"})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte("dirty"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "untracked file"), []byte("u"), 0o644))
	status := run(t, dir, "status", "--porcelain")

	r, err := findRepository(t.Context(), filepath.Join(dir, "sub dir"))
	require.NoError(t, err)
	require.Equal(t, dir, r.root)
	got, err := r.commit(t.Context(), "HEAD~1")
	require.NoError(t, err)
	require.Equal(t, old, got)
	changed, err := r.changed(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a.go", "untracked file"}, changed)

	to := filepath.Join(t.TempDir(), "with space", "base")
	require.NoError(t, r.write(t.Context(), old, to))
	for name, want := range map[string]string{"a.go": "one", "sub dir/b.txt": "b",
		"hidden.txt": "export-ignore hides it from git archive"} {
		text, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
	require.NoFileExists(t, filepath.Join(to, "new.go"))
	require.NoFileExists(t, to+".index")
	require.Equal(t, status, run(t, dir, "status", "--porcelain"), "the repository is as it was")
	require.NotContains(t, run(t, dir, "worktree", "list"), "\n", "no worktree was added")
}

func TestWriteOfASparseCheckoutIsWhole(t *testing.T) {
	dir := newRepository(t, map[string]string{"in/a": "a", "out/b": "b"})
	run(t, dir, "sparse-checkout", "set", "in")
	require.NoFileExists(t, filepath.Join(dir, "out", "b"))
	r, err := findRepository(t.Context(), dir)
	require.NoError(t, err)
	c, err := r.commit(t.Context(), "HEAD")
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "base")
	require.NoError(t, r.write(t.Context(), c, to))
	require.FileExists(t, filepath.Join(to, "out", "b"))
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := newRepository(t, map[string]string{"a": "a"})
	r, err := findRepository(t.Context(), dir)
	require.NoError(t, err)
	for ref, want := range map[string]string{
		"nonesuch": "no such revision", "": "want a revision such as", "-x": "want a revision such as",
		"HEAD~7": "no such revision",
	} {
		_, err := r.commit(t.Context(), ref)
		var e *Error
		require.ErrorAs(t, err, &e, ref)
		require.ErrorContains(t, err, want, ref)
		require.NotContains(t, err.Error(), "\n", ref)
	}
	_, err = findRepository(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "no git repository here")

	bare := t.TempDir()
	run(t, bare, "init", "-q", "--bare")
	_, err = findRepository(t.Context(), bare)
	require.Error(t, err)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.commit(gone, "HEAD")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, r.write(gone, "HEAD", filepath.Join(t.TempDir(), "x")), context.Canceled)
}

func TestGitIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := findRepository(t.Context(), dir)
	require.EqualError(t, err, "git is not installed, or not in PATH: install it: the other revision comes from there")
}

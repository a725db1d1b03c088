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

// TestCopy checks that a copy has the files of the working tree as they are, with those of its
// submodules, and neither what git ignores nor what was deleted.
func TestCopy(t *testing.T) {
	inner := newRepository(t, map[string]string{"inner.txt": "old inner"})
	dir := newRepository(t, map[string]string{
		"a.txt": "committed", "gone.txt": "gone", ".gitignore": "*.o\n/go.work\n", "sub/b.txt": "b",
		"go.work": "never committed", "sub/go.mod": "module example.com/sub\n",
	})
	run(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "third_party/inner")
	commit(t, dir, nil)
	base := run(t, dir, "rev-parse", "HEAD")
	commit(t, filepath.Join(dir, "third_party/inner"), map[string]string{"inner.txt": "new inner"})
	commit(t, dir, map[string]string{"a.txt": "committed again"})
	for name, text := range map[string]string{
		"a.txt": "edited", "new file.txt": "new", "x.o": "ignored", "third_party/inner/more.txt": "more",
		"go.work": "go 1.24\n\nuse ./sub\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "gone.txt")))
	require.NoError(t, os.Chmod(filepath.Join(dir, "sub/b.txt"), 0o755))
	require.NoError(t, os.Symlink("a.txt", filepath.Join(dir, "link")))
	before := run(t, dir, "status", "--porcelain", "--ignored")

	work := t.TempDir()
	was, is, err := Pair(t.Context(), filepath.Join(dir, "sub"), base, work)
	require.NoError(t, err)
	copied, err := is.Copy(t.Context(), work)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"a.txt": "edited", "new file.txt": "new", "link": "edited", ".gitignore": "*.o\n/go.work\n", "sub/b.txt": "b",
		"third_party/inner/inner.txt": "new inner", "third_party/inner/more.txt": "more",
		"go.work": "go 1.24\n\nuse ./sub\n", "sub/go.mod": "module example.com/sub\n",
	}, withoutModules(contents(t, copied.Root)))
	require.Equal(t, "old inner", contents(t, was.Root)["third_party/inner/inner.txt"])
	require.Equal(t, "committed", contents(t, was.Root)["a.txt"])
	require.Equal(t, filepath.Join(copied.Root, "sub"), copied.Dir)
	require.Contains(t, copied.Env, "GOWORK="+filepath.Join(copied.Root, "go.work"))
	info, err := os.Stat(filepath.Join(copied.Dir, "b.txt"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
	target, err := os.Readlink(filepath.Join(copied.Root, "link"))
	require.NoError(t, err)
	require.Equal(t, "a.txt", target)
	require.Equal(t, before, run(t, dir, "status", "--porcelain", "--ignored"))

	require.Equal(t, filepath.Join(copied.Root, "sub", "x"), copied.Place(filepath.Join(dir, "sub", "x")))
	require.Equal(t, was.Root, was.Place(dir))
	require.Equal(t, "/elsewhere", was.Place("/elsewhere"))
}

// TestPair_ignoredSubmodule checks that a submodule which differs is one of the files that differ,
// even if .gitmodules or the configuration has git ignore it.
func TestPair_ignoredSubmodule(t *testing.T) {
	inner := newRepository(t, map[string]string{"inner.txt": "inner"})
	dir := newRepository(t, map[string]string{"a.txt": "a"})
	run(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "inner")
	run(t, dir, "config", "-f", ".gitmodules", "submodule.inner.ignore", "all")
	run(t, dir, "config", "diff.ignoreSubmodules", "all")
	commit(t, dir, nil)
	for name, change := range map[string]func(){
		"an untracked file": func() {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "inner", "new.txt"), []byte("new"), 0o644))
		},
		"another commit": func() { commit(t, filepath.Join(dir, "inner"), map[string]string{"inner.txt": "changed"}) },
	} {
		t.Run(name, func(t *testing.T) {
			change()
			_, now, err := Pair(t.Context(), dir, "HEAD", t.TempDir())
			require.NoError(t, err)
			require.Equal(t, []string{"inner"}, now.Differs)
			require.Equal(t, []string{"inner"}, now.Changed)
		})
	}
}

// TestPair_inAHook checks that Pair finds the repository from the directory. Git sets variables for a
// hook, such as GIT_DIR, that name another one.
func TestPair_inAHook(t *testing.T) {
	inner := newRepository(t, map[string]string{"inner.txt": "inner"})
	dir := newRepository(t, map[string]string{"module/a.txt": "a"})
	run(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "inner")
	commit(t, dir, nil)
	t.Setenv("GIT_DIR", filepath.Join(dir, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(dir, ".git", "index"))
	t.Setenv("GIT_PREFIX", "")
	work := t.TempDir()
	base, now, err := Pair(t.Context(), filepath.Join(dir, "module"), "HEAD", work)
	require.NoError(t, err)
	require.Equal(t, dir, now.Root)
	copied, err := now.Copy(t.Context(), work)
	require.NoError(t, err)
	for _, tree := range []*Tree{base, copied} {
		require.Equal(t, filepath.Join(tree.Root, "module"), tree.Dir)
		require.Equal(t, map[string]string{"module/a.txt": "a", "inner/inner.txt": "inner"},
			withoutModules(contents(t, tree.Root)))
	}
}

// TestCopy_whatBecameALink checks that files below a directory that has become a link or a file are
// deleted, as git says, and that nothing is written through the link.
func TestCopy_whatBecameALink(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "data")
	for name, replace := range map[string]func(path string) error{
		"a link out of the tree": func(path string) error { return os.Symlink(outside, path) },
		"a link within the tree": func(path string) error { return os.Symlink("other", path) },
		"an ignored link":        func(path string) error { return os.Symlink(outside, path+".ignored") },
		"a file":                 func(path string) error { return os.WriteFile(path, []byte("a file"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.MkdirAll(filepath.Join(outside, "deep"), 0o755))
			for _, file := range []string{"b.txt", "deep/c.txt"} {
				require.NoError(t, os.WriteFile(filepath.Join(outside, file), []byte("outside"), 0o644))
			}
			dir := newRepository(t, map[string]string{
				"a/b.txt": "b", "a/deep/c.txt": "c", "a.ignored/b.txt": "b", "other/b.txt": "other", ".gitignore": "*.ignored\n",
			})
			run(t, dir, "add", "--force", "a.ignored")
			commit(t, dir, nil)
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "a")))
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "a.ignored")))
			require.NoError(t, replace(filepath.Join(dir, "a")))
			_, now, err := Pair(t.Context(), dir, "HEAD", t.TempDir())
			require.NoError(t, err)
			copied, err := now.Copy(t.Context(), t.TempDir())
			require.NoError(t, err)
			require.Equal(t, map[string]string{"b.txt": "outside", "deep/c.txt": "outside"}, contents(t, outside))
			if _, err := os.Lstat(filepath.Join(dir, "a")); err == nil {
				want, err := os.Lstat(filepath.Join(dir, "a"))
				require.NoError(t, err)
				got, err := os.Lstat(filepath.Join(copied.Root, "a"))
				require.NoError(t, err)
				require.Equal(t, want.Mode().Type(), got.Mode().Type())
			}
			require.NoDirExists(t, filepath.Join(copied.Root, "a.ignored"))
			text, err := os.ReadFile(filepath.Join(copied.Root, "other", "b.txt"))
			require.NoError(t, err)
			require.Equal(t, "other", string(text))
		})
	}
}

// TestWriteSubmodules_missingCommit checks that a submodule which lacks the commit is named, with what
// to do.
func TestWriteSubmodules_missingCommit(t *testing.T) {
	inner := newRepository(t, map[string]string{"inner.txt": "inner"})
	dir := newRepository(t, map[string]string{"a.txt": "a"})
	run(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "inner")
	commit(t, dir, nil)
	run(t, dir, "update-index", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",inner")
	run(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "a commit that nobody has")
	_, _, err := Pair(t.Context(), dir, "HEAD", t.TempDir())
	require.EqualError(t, err, "the submodule inner lacks commit 111111111111: git -C inner fetch origin 111111111111")

	// One that isn't checked out is an empty directory, as in a clone without submodules.
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "inner")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "inner"), 0o755))
	base, _, err := Pair(t.Context(), dir, "HEAD", t.TempDir())
	require.NoError(t, err)
	require.Empty(t, contents(t, filepath.Join(base.Root, "inner")))
}

// withoutModules drops the file that names the submodules' repositories.
func withoutModules(files map[string]string) map[string]string {
	delete(files, ".gitmodules")
	return files
}

// contents returns the contents of the files below a directory, links followed.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	}))
	return all
}

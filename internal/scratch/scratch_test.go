package scratch

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const holdVariable = "SCRATCH_TEST_HOLD"

// TestMain makes the test binary act as a process that is killed while it holds a directory.
func TestMain(m *testing.M) {
	if parent := os.Getenv(holdVariable); parent != "" {
		d, err := New(parent, "gate")
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(d.Path + "\n")
		os.Stdin.Read(make([]byte, 1)) // until it is killed
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestNewRemovesWhatAKilledProcessLeft(t *testing.T) {
	parent := t.TempDir()
	others := filepath.Join(parent, "gate-without-lock")
	unrelated := filepath.Join(parent, "other-1")
	require.NoError(t, os.MkdirAll(others, 0o755))
	require.NoError(t, os.MkdirAll(unrelated, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(unrelated, lockFile), nil, 0o644))

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdVariable+"="+parent)
	in, err := child.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line := make([]byte, 4096)
	n, err := out.Read(line)
	require.NoError(t, err)
	held := string(line[:n-1])
	require.NoError(t, os.WriteFile(filepath.Join(held, "binary"), []byte("x"), 0o644))

	mine, err := New(parent, "gate")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(held, "binary"), "its process lives")
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	next, err := New(parent, "gate")
	require.NoError(t, err)
	require.NoDirExists(t, held)
	require.DirExists(t, mine.Path)
	require.DirExists(t, others)
	require.DirExists(t, unrelated)
	require.NoError(t, mine.Close())
	require.NoError(t, next.Close())
	require.NoDirExists(t, mine.Path)
	require.NoDirExists(t, next.Path)
}

func TestNewSaysWhatToDo(t *testing.T) {
	_, err := New(filepath.Join(t.TempDir(), "missing"), "gate")
	require.ErrorContains(t, err, "TMPDIR")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestCloseRemovesWhatMayNotBeWritten can fail only if it isn't run by root.
func TestCloseRemovesWhatMayNotBeWritten(t *testing.T) {
	d, err := New(t.TempDir(), "gate")
	require.NoError(t, err)
	module := filepath.Join(d.Path, "mod", "example.com", "dep@v1.0.0")
	require.NoError(t, os.MkdirAll(module, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(module, "dep.go"), []byte("package dep\n"), 0o400))
	for _, dir := range []string{module, filepath.Dir(module)} {
		require.NoError(t, os.Chmod(dir, 0o500))
	}
	require.NoError(t, d.Close())
	require.NoDirExists(t, d.Path)
}

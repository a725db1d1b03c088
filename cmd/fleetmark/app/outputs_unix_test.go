//go:build unix

package app

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// TestFileOutputs checks, for every command that writes a file, that links are followed, that what
// is no regular file is written in place, that an existing mode is kept, that the umask is honored,
// and that "-" is standard output.
func TestFileOutputs(t *testing.T) {
	dir := t.TempDir()
	fleetmark := func(t *testing.T, stdout io.Writer, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		// The umask belongs to a process, so a shell sets it for the command.
		cmd := exec.CommandContext(t.Context(), "/bin/sh",
			append([]string{"-c", `umask 027; exec "$0" "$@"`, filepath.Join(built, "fleetmark")}, args...)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, stdout, &stderr
		err := cmd.Run()
		if args[0] == "gate" && cmd.ProcessState.ExitCode() == cli.ExitInconclusive { // one repetition is too few for a verdict
			return
		}
		require.NoError(t, err, "%v: %s", args, stderr.String())
	}
	fleetmark(t, nil, "run", "--devices", "3", "--repeat", "1", "--profiled", "1", "--no-progress")
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	fleetmark(t, nil, "baseline", "--from", runs[0])
	info, err := os.Stat(filepath.Join(runs[0], "report.html"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())

	for _, c := range []struct {
		command string
		flags   []string // each names a file
	}{
		{"report " + runs[0], []string{"--html", "--markdown", "--comment", "--junit", "--json"}},
		{"gate --run " + runs[0] + " rollout", []string{"--html", "--markdown", "--junit"}},
		{"profile flame --kind goroutine " + runs[0], []string{"--out"}},
		{"baseline --from " + runs[0], []string{"--file"}},
	} {
		name, _, _ := strings.Cut(c.command, " ")
		// with returns the command's flags, each with a file of this kind, which prepare makes.
		with := func(t *testing.T, kind string, prepare func(path string)) []string {
			t.Helper()
			args := strings.Fields(c.command)
			var files []string
			for _, flag := range c.flags {
				path := filepath.Join(dir, name+flag+"-"+kind)
				prepare(path)
				args, files = append(args, flag+"="+path), append(files, path)
			}
			fleetmark(t, nil, args...)
			return files
		}
		t.Run(name, func(t *testing.T) {
			for _, path := range with(t, "new", func(string) {}) {
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o640), info.Mode(), path)
			}
			for _, path := range with(t, "private-link", func(path string) {
				require.NoError(t, os.WriteFile(path+".to", nil, 0o600))
				require.NoError(t, os.Symlink(path+".to", path))
			}) {
				link, err := os.Lstat(path)
				require.NoError(t, err)
				require.Equal(t, fs.ModeSymlink, link.Mode().Type(), path)
				to, err := os.Stat(path)
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o600), to.Mode(), path)
				require.NotZero(t, to.Size(), path)
			}
			var readers sync.WaitGroup
			var mu sync.Mutex
			got := map[string]int{}
			for _, path := range with(t, "pipe", func(path string) {
				require.NoError(t, unix.Mkfifo(path, 0o600))
				readers.Go(func() {
					data, _ := os.ReadFile(path)
					mu.Lock()
					defer mu.Unlock()
					got[path] = len(data)
				})
			}) {
				pipe, err := os.Lstat(path)
				require.NoError(t, err)
				require.Equal(t, fs.ModeNamedPipe, pipe.Mode().Type(), path)
			}
			readers.Wait()
			for path, n := range got {
				require.NotZero(t, n, path)
			}
			for _, flag := range c.flags {
				var stdout bytes.Buffer
				fleetmark(t, &stdout, append(strings.Fields(c.command), flag+"=-")...)
				begins := map[string]string{"--html": "<!DOCTYPE html>", "--junit": "<?xml", "--json": "{",
					"--out": "<!DOCTYPE html>", "--file": "<!-- fleetmark:baseline"}[flag]
				require.True(t, strings.HasPrefix(stdout.String(), begins), "%s: %.300s", flag, stdout.String())
				require.NotContains(t, stdout.String(), "───", "no table is mixed into a report")
			}
		})
	}
	_, err = os.Lstat(filepath.Join(dir, "-"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

//go:build linux

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// closedPipe is the writing end of a pipe that nobody reads.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// A reader that goes away, as head does after its lines, doesn't end the run.
func TestRunOutlivesItsReaders(t *testing.T) {
	for name, c := range map[string]struct {
		out, err bool // whether it is read
		code     int
	}{
		"nobody reads":               {false, false, exitInvalid},
		"standard error isn't read":  {true, false, exitPass},
		"standard output isn't read": {false, true, exitInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := command(t, "run", "rollout", "rollout", "--devices", "20", "--repeat", "2", "--workers", "2")
			var stdout, stderr bytes.Buffer
			for _, s := range []struct {
				to   *io.Writer
				read bool
				text *bytes.Buffer
			}{{&cmd.Stdout, c.out, &stdout}, {&cmd.Stderr, c.err, &stderr}} {
				*s.to = s.text
				if !s.read {
					*s.to = closedPipe(t)
				}
			}
			err := cmd.Run()
			require.Equal(t, c.code == exitPass, err == nil, "%v %s", err, stderr.String())
			require.Equal(t, c.code, cmd.ProcessState.ExitCode())
			require.NotContains(t, stderr.String(), "broken pipe")
			found, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
			require.NoError(t, err)
			require.Len(t, found, 2)
			for _, run := range found {
				is, repetitions := status(t, run)
				require.Equal(t, "finished", is)
				require.Equal(t, 2, repetitions)
				require.FileExists(t, filepath.Join(run, "report.md"))
			}
		})
	}
	t.Run("another command", func(t *testing.T) {
		cmd, _ := command(t, "scenarios", "list")
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = closedPipe(t), &stderr
		require.Error(t, cmd.Run())
		require.Equal(t, exitInvalid, cmd.ProcessState.ExitCode())
		require.Empty(t, stderr.String())
	})
}

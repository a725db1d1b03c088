//go:build linux

package app

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// closedPipe returns the writing end of a pipe that nobody reads.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// TestRunOutlivesItsReaders checks that a reader which goes away, as head does after its lines,
// neither ends the run nor changes its exit code.
func TestRunOutlivesItsReaders(t *testing.T) {
	for name, c := range map[string]struct {
		out, err bool // whether it is read
		with     []string
		code     int
	}{
		"nobody reads":                     {false, false, nil, cli.ExitPass},
		"standard error isn't read":        {true, false, nil, cli.ExitPass},
		"standard output isn't read":       {false, true, nil, cli.ExitPass},
		"nobody reads that it failed":      {false, false, []string{"--set", "thresholds=[ops/s < 1/h]"}, cli.ExitRegressed},
		"nobody reads that it is unjudged": {false, true, []string{"--baseline", "nowhere.md"}, cli.ExitInconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := command(t, "run", "rollout", "rollout", "--devices", "20", "--repeat", "2", "--workers", "2")
			cmd.Args = append(cmd.Args, c.with...)
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
			require.Equal(t, c.code == cli.ExitPass, err == nil, "%v %s", err, stderr.String())
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
		require.NoError(t, cmd.Run())
		require.Empty(t, stderr.String())
	})
}

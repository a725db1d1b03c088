//go:build linux

package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// reported returns the only run directory below out. That directory must have its report.
func reported(t *testing.T, out string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, "*"))
	require.NoError(t, err)
	require.Len(t, found, 1, "the first run that can't be used ends the command")
	require.FileExists(t, filepath.Join(found[0], rundir.ReportFile))
	return found[0]
}

// TestBaselineOfAnInvalidRun checks that a run which can't be used ends the command at once, with
// an error that names the run and the reason.
func TestBaselineOfAnInvalidRun(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	require.NoError(t, os.WriteFile(broken,
		[]byte("name: broken\nfleet: {devices: 5, behavior: {fail_first: 9}}\nclient: {max_attempts: 1}\nrepetitions: 1\n"),
		0o600))
	out := filepath.Join(dir, "runs")
	f := baselineFlags{out: out, file: filepath.Join(dir, "unused"), quiet: true, sections: "none", operations: 1,
		testsWithin: time.Minute}
	_, b, err := f.builder(t.Context(), cli.Console{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	require.NoError(t, err)
	_, err = b.RunScenarios(t.Context(), []string{broken, "rollout"})
	err = invalidRun(err)
	require.ErrorContains(t, err, reported(t, out)+
		": the run is invalid: no operation succeeded: 5 started, 0 succeeded, 5 failed")
	require.Equal(t, cli.ExitInvalid, cli.CodeOf(err))
	require.NotContains(t, err.Error(), "\n")
}

func TestBaselineWhoseFleetDies(t *testing.T) {
	cmd, dir := command(t, "baseline", "--no-progress")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	out := filepath.Join(dir, "runs")
	eventually(t, "it runs", func() bool {
		found, err := filepath.Glob(filepath.Join(out, "*", rundir.RunFile))
		require.NoError(t, err)
		return len(found) == 1
	})
	for _, pid := range fleets(t) {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "fleetmark: "+strings.TrimPrefix(reported(t, out), dir+"/")+": ")
	require.NoFileExists(t, filepath.Join(dir, baseline.FileName))
}

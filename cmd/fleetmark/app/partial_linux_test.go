package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// TestInterruptedSoak checks that what an interrupted soak measured is on the terminal, in run.json
// and in the reports, that nothing judges it, and that nothing is compared with it.
func TestInterruptedSoak(t *testing.T) {
	cmd, dir := command(t, "run", "soak.yaml", "--progress", "json")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soak.yaml"), []byte(
		"name: soak\nfleet: {devices: 20}\nartifact: {size: 1KiB}\nload: {model: closed, workers: 2, duration: 30m}\n"+
			"repetitions: 1\nwarmup: 0\nprofiled: 0\nthresholds: [ops/s < 1/h]\n"), 0o600))
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	progress, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := json.NewDecoder(progress)
	for done := 0.0; done == 0; {
		var line struct {
			Kind string
			Done float64
		}
		require.NoError(t, lines.Decode(&line))
		if line.Kind == "timed" {
			done = line.Done
		}
	}
	// timeout(1) sends it twice at once.
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	for lines.Decode(new(any)) == nil { // until the command closes it
	}
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())

	text := stdout.String()
	require.Regexp(t, `(?m)^operation +metric +partial, not judged$`, text)
	require.Regexp(t, `(?m)^ +ops/s +.*/s$`, text)
	require.Regexp(t, `(?m)^partial: timed repetition 1 of 1 was broken off after \S+ of 30m0s \(0%\): [\d,]+ operations succeeded, 0 failed$`, text)
	require.Regexp(t, `(?m)^partial: 20 devices, \d+ updated, 0 failed, 0 lost, 0 applied twice, by the fleet's ledger$`,
		text)
	require.Contains(t, text, "\ninterrupted: 0 of 1 timed repetitions were measured whole; "+
		"the partial one is kept too (run.json, partial.jsonl, partial.hlog), and is judged by nothing\n")
	require.NotContains(t, text, "threshold")
	require.NotContains(t, text, "verdict:")

	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	for _, report := range []string{rundir.ReportFile, rundir.HTMLFile} {
		data, err := os.ReadFile(filepath.Join(runs[0], report))
		require.NoError(t, err)
		require.Contains(t, string(data), "Partial repetition", report)
		require.Contains(t, string(data), "was broken off after", report)
	}
	var printed bytes.Buffer
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"report", runs[0], "--json"}, cli.ExitPass, ""},
		{[]string{"gate", "--run", runs[0]}, cli.ExitUsage, "BASELINE_METRICS.md"},
		{[]string{"baseline", "--from", runs[0]}, cli.ExitUsage, "the run is interrupted"},
		{[]string{"compare", runs[0], runs[0]}, cli.ExitUsage, "holds no samples"},
	} {
		var stdout, stderr bytes.Buffer
		t.Chdir(dir)
		require.Equal(t, c.code, execute(t.Context(),
			cli.Console{Args: c.args, In: strings.NewReader(""), Out: &stdout, Err: &stderr}), "%v: %s", c.args, stderr.String())
		require.Contains(t, stderr.String(), c.said, "%v", c.args)
		printed.Write(stdout.Bytes())
	}
	var document struct {
		Now struct {
			Run struct{ Partial *results.Partial }
		}
	}
	require.NoError(t, json.Unmarshal(printed.Bytes(), &document))
	require.Positive(t, document.Now.Run.Partial.Succeeded)
}

//go:build linux

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// TestInterruptedBeforeAnythingBegan checks that every command says in one line that it was interrupted.
func TestInterruptedBeforeAnythingBegan(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	run := filepath.Join(dir, "run")
	d, err := rundir.Create(run, "rollout", results.Run{}.Started, "abcdef")
	require.NoError(t, err)
	measured := results.Run{Scenario: "rollout", Status: results.StatusFinished, Valid: true,
		Machine: results.Machine{GOMAXPROCS: 1}}
	require.NoError(t, d.WriteRun(measured))
	require.NoError(t, d.AppendRepetition([]results.Record{{Scenario: "rollout", Op: "push", Ops: 1,
		Values: []results.Value{{Unit: "ns/op", Value: 1}}}}))
	require.NoError(t, d.WriteRun(measured))
	require.NoError(t, d.Close())
	for _, args := range [][]string{
		{"run"}, {"run", "rollout", "throughput", "--json"}, {"baseline"},
		{"compare", d.Path(), d.Path()}, {"report", d.Path()},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		code := execute(ctx, cli.Console{Args: args, In: strings.NewReader(""), Out: &stdout, Err: &stderr})
		require.Equal(t, cli.ExitInterrupted, code, "%v: %s", args, stderr.String())
		require.Equal(t, "fleetmark: interrupted\n", stderr.String(), "%v", args)
		require.Empty(t, stdout.String(), "%v", args)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written")
}

func TestInterruptedWhileItHashesTheArtifact(t *testing.T) {
	cmd, dir := command(t, "run", "--devices", "2", "--artifact", "large")
	f, err := os.Create(filepath.Join(dir, "large"))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(1<<38)) // a file of holes, which still takes minutes to read
	require.NoError(t, f.Close())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	eventually(t, "it reads the artifact", func() bool {
		open, err := filepath.Glob("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/fd/*")
		require.NoError(t, err)
		for _, fd := range open {
			if to, err := os.Readlink(fd); err == nil && filepath.Base(to) == "large" {
				return true
			}
		}
		return false
	})
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode(), "%s", stderr.String())
	require.Equal(t, "fleetmark: interrupted\n", stderr.String())
	require.NoDirExists(t, filepath.Join(dir, "runs"))
}

func TestInterruptedWhileItAsksTheFleet(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	cmd, dir := command(t, "run", "--devices", "2", "--fleet", "http://"+mute.Addr().String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	asked, err := mute.Accept()
	require.NoError(t, err)
	defer asked.Close()
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode(), "%s", stderr.String())
	require.Equal(t, "fleetmark: interrupted\n", stderr.String())
	require.NoDirExists(t, filepath.Join(dir, "runs"))
}

// TestInterruptedBeforeTheFirstRepetition checks that a run interrupted before it measured anything
// has no verdict, and doesn't mention its baseline.
func TestInterruptedBeforeTheFirstRepetition(t *testing.T) {
	for _, mode := range []string{"--json", "--no-progress"} {
		cmd, dir := command(t, "run", "--devices", "200", "--warmup", "1000", mode)
		var stdout bytes.Buffer
		cmd.Stdout = &stdout
		require.NoError(t, cmd.Start())
		var run string
		eventually(t, "it runs", func() bool {
			found, err := filepath.Glob(filepath.Join(dir, "runs", "[0-9]*", rundir.RunFile))
			require.NoError(t, err)
			if len(found) == 1 {
				run = filepath.Dir(found[0])
			}
			return len(found) == 1
		})
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.Error(t, cmd.Wait())
		require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
		is, repetitions := status(t, run)
		require.Equal(t, "interrupted", is)
		require.Zero(t, repetitions)
		require.NotContains(t, stdout.String(), ":\"invalid\"") // no verdict says so
		if mode == "--json" {
			require.Equal(t, 1, strings.Count(stdout.String(), "\n"))
			var o struct {
				Status  results.Status
				Verdict results.Verdict
				Reason  string
				Valid   bool
				Results []struct{ Invalid []string }
			}
			require.NoError(t, json.Unmarshal(stdout.Bytes(), &o))
			require.Equal(t, results.StatusInterrupted, o.Status)
			require.Empty(t, o.Verdict)
			require.Equal(t, "the run was interrupted", o.Reason)
			require.True(t, o.Valid)
			require.Empty(t, o.Results[0].Invalid)
		} else {
			require.Equal(t, "interrupted: 0 of the timed repetitions were measured, and are kept\nrun: "+
				strings.TrimPrefix(run, dir+"/")+"\n", stdout.String())
		}
		report, err := os.ReadFile(filepath.Join(run, rundir.ReportFile))
		require.NoError(t, err)
		require.Contains(t, string(report), "**no verdict**: the run was interrupted.")
	}
}

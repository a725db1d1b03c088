//go:build linux

package app

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// started starts a run and returns it once it has measured a repetition.
func started(t *testing.T, names ...string) (cmd *exec.Cmd, dir, run string, stderr *bytes.Buffer) {
	t.Helper()
	cmd, dir = command(t, append([]string{"run"}, names...)...)
	cmd.Args = append(cmd.Args, "--devices", "200", "--repeat", "5000", "--workers", "2", "--warmup", "0")
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, "a repetition is measured", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "runs", "*", "samples.txt"))
		if err != nil || len(found) == 0 {
			return false
		}
		run = filepath.Dir(found[0])
		text, err := os.ReadFile(found[0])
		return err == nil && bytes.Count(text, []byte("\nBenchmark")) >= 6
	})
	return cmd, dir, run, stderr
}

// fleets returns the processes that are fleets of this test's own build of the command.
func fleets(t *testing.T) (pids []int) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err == nil && strings.HasPrefix(string(text), filepath.Join(built, "fleetmark")+"\x00fleet\x00--driven") {
			pid, err := strconv.Atoi(strings.Split(f, "/")[2])
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

func status(t *testing.T, run string) (status string, repetitions int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, "run.json"))
	require.NoError(t, err)
	var r struct {
		Status      string
		Repetitions int
	}
	require.NoError(t, json.Unmarshal(text, &r))
	return r.Status, r.Repetitions
}

// TestInterruptKeepsWhatWasMeasured checks that an interrupted command exits with its code, begins no
// further scenario, leaves a directory that can be read, and ends its fleet. Package runner tests an
// interruption in each phase of a run.
func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	onceOnly(t)
	cmd, dir, run, stderr := started(t, "rollout", "throughput")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
	require.NotContains(t, stderr.String(), "fleetmark:", "the interruption is in the table, and in no message of its own")
	found, err := os.ReadDir(filepath.Join(dir, "runs"))
	require.NoError(t, err)
	require.Len(t, found, 1, "no other scenario begins")
	is, repetitions := status(t, run)
	require.Equal(t, "interrupted", is)
	require.GreaterOrEqual(t, repetitions, 2)
	samples, err := os.ReadFile(filepath.Join(run, "samples.txt"))
	require.NoError(t, err)
	require.Equal(t, 3*repetitions, bytes.Count(samples, []byte("\nBenchmark")))
	report, err := os.ReadFile(filepath.Join(run, "report.md"))
	require.NoError(t, err)
	require.Contains(t, string(report), "interrupted")
	compares(t, dir, run)
	eventually(t, "the fleet ends", func() bool { return len(fleets(t)) == 0 })
}

// TestSecondInterruptEndsAtOnce checks that a second signal ends a run that the first couldn't end yet.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	onceOnly(t)
	cmd, dir, run, _ := started(t)
	// A fleet that doesn't answer keeps the first interrupt from ending the run, because the reset
	// before the next repetition waits for an answer.
	stopped := fleets(t)
	for _, pid := range stopped {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	require.NotEmpty(t, stopped)
	defer func() {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		eventually(t, "the fleet ends", func() bool { return len(fleets(t)) == 0 })
	}()
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	eventually(t, "the first signal is handled", func() bool {
		is, _ := status(t, run)
		return is == "interrupted"
	})
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	eventually(t, "the second signal ends the run", func() bool {
		// A signal that comes too soon after the first counts as the same one.
		_ = cmd.Process.Signal(os.Interrupt)
		return len(ended) > 0
	})
	require.Error(t, <-ended)
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
	compares(t, dir, run)
}

// TestSecondSignalBeforeTheFirstIsDealtWith checks that the second signal ends the process at once,
// so that the directory is like that of a run that was killed.
func TestSecondSignalBeforeTheFirstIsDealtWith(t *testing.T) {
	onceOnly(t)
	cmd, dir, run, _ := started(t)
	begun := fleets(t)
	require.NotEmpty(t, begun)
	// The process is stopped while the signals are sent, so that they arrive together. They differ,
	// since two pending signals of one kind are merged.
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
	is, _ := status(t, run)
	require.Equal(t, "running", is)
	require.Contains(t, compares(t, dir, run), "the run did not finish")
	eventually(t, "the fleet ends with its driver", func() bool {
		left := fleets(t)
		return !slices.ContainsFunc(begun, func(pid int) bool { return slices.Contains(left, pid) })
	})
}

// TestKillLeavesADirectoryThatLoads kills a run at an ordinary moment. TestKilledAtSeededMoments kills
// at the moments at which the most can go wrong, and TestRolloutKilled of package runner kills the
// process of a rollout and resumes it.
func TestKillLeavesADirectoryThatLoads(t *testing.T) {
	onceOnly(t)
	cmd, dir, run, _ := started(t)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	is, _ := status(t, run)
	require.Equal(t, "running", is, "nothing could change the status")
	out := compares(t, dir, run)
	require.Contains(t, out, "the run did not finish")
	eventually(t, "the fleet ends with its driver", func() bool { return len(fleets(t)) == 0 })
}

// TestFleetKilledUnderARun checks what the command prints if its fleet's process is killed.
func TestFleetKilledUnderARun(t *testing.T) {
	onceOnly(t)
	cmd, dir, run, stderr := started(t)
	for _, pid := range fleets(t) {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "fleetmark: the fleet's process ended in the middle of the run\n")
	is, repetitions := status(t, run)
	require.Equal(t, "failed", is)
	require.GreaterOrEqual(t, repetitions, 2)
	compares(t, dir, run)
}

// compares checks that the command can read a run directory.
func compares(t *testing.T, dir, run string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(built, "fleetmark"), "compare", run, run)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Scenario/rollout/op=deliver")
	return string(out)
}

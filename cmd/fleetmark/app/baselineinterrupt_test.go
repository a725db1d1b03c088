//go:build linux

package app

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// TestBaselineInterruptedInASection checks that the old page is unchanged, and that neither the
// process that measures nor its fleet is left.
func TestBaselineInterruptedInASection(t *testing.T) {
	cmd, dir := command(t, "run", "--devices", "5", "--repeat", "1", "--out", "out", "--no-progress")
	require.NoError(t, cmd.Run())
	runs, err := filepath.Glob(filepath.Join(dir, "out", "*"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	page := filepath.Join(dir, baseline.FileName)
	first, _ := command(t, "baseline", "--from", runs[0], "--file", page)
	require.NoError(t, first.Run())
	before, err := os.ReadFile(page)
	require.NoError(t, err)

	again, _ := command(t, "baseline", "--from", runs[0], "--file", page, "--sections", "allocations", "--operations",
		"10000")
	stderr, err := again.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, again.Start())
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "baseline: allocations of push over lean, kept-alive connection\n", line)
	require.NoError(t, again.Process.Signal(syscall.SIGINT))
	said, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Error(t, again.Wait())
	require.Equal(t, cli.ExitInterrupted, again.ProcessState.ExitCode(), "%s", said)
	require.Contains(t, string(said), "interrupted")
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Empty(t, fleets(t))
}

// TestBaselineInterruptedInABenchmark checks that an interruption doesn't count as a failure of the
// benchmark, and ends the go command together with the processes that it started.
func TestBaselineInterruptedInABenchmark(t *testing.T) {
	cmd, dir := command(t, "run", "--devices", "5", "--repeat", "1", "--out", "out", "--no-progress")
	require.NoError(t, cmd.Run())
	runs, err := filepath.Glob(filepath.Join(dir, "out", "*"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	for name, text := range map[string]string{
		"go.mod":         "module example.com/m\n\ngo 1.24\n",
		"fleetmark.yaml": "benchmarks: [{packages: [.], run: .}]\n",
		"m_test.go": `package m

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func BenchmarkLong(b *testing.B) {
	if b.N == 1 {
		return
	}
	if err := os.WriteFile("pid", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Hour)
}
`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	again, _ := command(t, "baseline", "--from", runs[0], "--sections", "benchmarks", "--bench-time", "10x")
	again.Dir = dir
	var stderr bytes.Buffer
	again.Stderr = &stderr
	require.NoError(t, again.Start())
	var pid int
	eventually(t, "the benchmark runs", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	})
	require.NoError(t, again.Process.Signal(syscall.SIGINT))
	require.Error(t, again.Wait())
	require.Equal(t, cli.ExitInterrupted, again.ProcessState.ExitCode(), "%s", stderr.String())
	require.Contains(t, stderr.String(), "interrupted: BASELINE_METRICS.md is as it was")
	require.NotContains(t, stderr.String(), "fails")
	require.NoFileExists(t, filepath.Join(dir, baseline.FileName))
	eventually(t, "the test binary has ended", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
}

//go:build linux

package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestBaselineInterruptedInASection: the old page is as it was, and neither the process
// that measures nor its fleet is left.
func TestBaselineInterruptedInASection(t *testing.T) {
	cmd, dir := command(t, "run", "--devices", "5", "--repeat", "1", "--out", "out", "--no-progress")
	require.NoError(t, cmd.Run())
	runs, err := filepath.Glob(filepath.Join(dir, "out", "*"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	page := filepath.Join(dir, results.BaselineFile)
	first, _ := command(t, "baseline", "--from", runs[0], "--file", page)
	require.NoError(t, first.Run())
	before, err := os.ReadFile(page)
	require.NoError(t, err)

	again, _ := command(t, "baseline", "--from", runs[0], "--file", page, "--sections", "allocations", "--operations", "10000")
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
	require.Equal(t, exitInterrupted, again.ProcessState.ExitCode(), "%s", said)
	require.Contains(t, string(said), "interrupted")
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Empty(t, fleets(t))
}

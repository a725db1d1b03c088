package app

import (
	"bytes"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// embedded calls Run with arguments and buffers, as a program of another module would.
func embedded(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, said bytes.Buffer
	code = Run(append([]string{"fleetmark"}, args...), Options{In: strings.NewReader(stdin), Out: &out, Err: &said})
	return code, out.String(), said.String()
}

// TestRun_twice checks that two calls of Run in one process share nothing, and that neither sees
// the arguments of the process itself: each writes to its own buffers, and a flag given to one
// isn't set in the next.
func TestRun_twice(t *testing.T) {
	for _, args := range [][]string{{"report", "-", "--json"}, {"report", "--json", "-", "--base", "a.txt"}} {
		t.Chdir(t.TempDir())
		require.NoError(t, os.WriteFile("a.txt", []byte("BenchmarkA 1 100 ns/op\n"), 0o600))
		code, stdout, stderr := embedded("BenchmarkA 1 100 ns/op\n", args...)
		require.Equal(t, cli.ExitPass, code, stderr)
		require.Empty(t, stderr)
		var o struct{ Command string }
		require.NoError(t, json.Unmarshal([]byte(stdout), &o))
		require.Equal(t, "fleetmark "+strings.Join(args, " "), o.Command)
	}
	code, stdout, stderr := embedded("")
	require.Equal(t, cli.ExitPass, code, "Run doesn't read os.Args if it is given no arguments")
	require.Contains(t, stdout, "Usage:")
	require.Empty(t, stderr)
	require.Equal(t, cli.ExitPass, Run(nil, Options{Out: &bytes.Buffer{}}))
	code, stdout, stderr = embedded("", "run", "nosuch", "--devices", "3")
	require.Equal(t, cli.ExitUsage, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `fleetmark: scenario "nosuch": no such scenario`)
}

// TestRun_runsTwice checks that two runs in one process are measured and recorded separately, each
// under its own flags.
func TestRun_runsTwice(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, devices := range []string{"3", "5"} {
		args := []string{"run", "--devices", devices, "--size", "1KiB", "--repeat", "1", "--profiled", "0", "--warmup", "0",
			"--no-progress", "--json"}
		if i == 1 {
			args = append(args, "--set", "thresholds=[ops/s < 1/h]")
		}
		code, stdout, stderr := embedded("", args...)
		require.Equal(t, []int{cli.ExitPass, cli.ExitRegressed}[i], code, stderr)
		var o struct {
			Run      string
			ExitCode int `json:"exit_code"`
			Counts   struct{ Devices int }
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &o))
		require.Equal(t, code, o.ExitCode)
		require.Equal(t, []int{3, 5}[i], o.Counts.Devices)
		text, err := os.ReadFile(filepath.Join(o.Run, "run.json"))
		require.NoError(t, err)
		require.Contains(t, string(text), `"command": "fleetmark run --devices `+devices+` `)
	}
}

// TestRun_leavesNothing checks that what a command changes in the process is restored when Run
// returns.
func TestRun_leavesNothing(t *testing.T) {
	percent, rate := debug.SetGCPercent(77), runtime.MemProfileRate
	defer debug.SetGCPercent(percent)
	require.False(t, signal.Ignored(syscall.SIGPIPE))
	for _, args := range [][]string{{"fleet", "--devices", "0"}, {"fleet", "--driven"}, {opcostCommand}, {"drive"}} {
		embedded("", args...)
		require.Equal(t, 77, debug.SetGCPercent(77), args)
		require.Equal(t, rate, runtime.MemProfileRate, args)
		require.False(t, signal.Ignored(syscall.SIGPIPE), args)
	}
}

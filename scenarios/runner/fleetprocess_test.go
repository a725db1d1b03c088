package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// tellingItsPID gives a command that starts the fleet, and a function that finds its process once it is up.
func tellingItsPID(t *testing.T) (command []string, find func() *os.Process) {
	file := filepath.Join(t.TempDir(), "pid")
	command = []string{"/bin/sh", "-c", "echo $$ > " + file + "; exec " + strings.Join(fleetCommand(t), " ")}
	return command, func() *os.Process {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var pid int
		_, err = fmt.Sscan(string(text), &pid)
		require.NoError(t, err)
		p, err := os.FindProcess(pid)
		require.NoError(t, err)
		return p
	}
}

func TestFleetThatDies(t *testing.T) {
	s := small()
	s.Load.Duration = scenarios.Duration(time.Minute)
	o := options(t, s)
	o.Fleet = FleetProcess
	command, fleet := tellingItsPID(t)
	o.FleetCommand = command
	o.Watcher = &atStep{kind: Timed, number: 1, do: func() { require.NoError(t, fleet().Kill()) }}
	o.Spec.Warmup = 0
	res, err := Run(t.Context(), o)
	require.ErrorIs(t, err, errFleetDied)
	run, loadErr := rundir.Load(res.Directory)
	require.NoError(t, loadErr)
	require.Equal(t, results.StatusFailed, run.Status)
	require.False(t, run.Valid)
	require.Equal(t, results.Invalid, run.Verdict)
	require.Contains(t, run.Invalid[0], "the fleet's process ended in the middle of the run")
}

// TestFleetThatDoesNotComeUp is one line, in the fleet's own words where it had any.
func TestFleetThatDoesNotComeUp(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'fleetmark: mockfleet: listen: address in use' >&2; exit 2": "the fleet did not come up: mockfleet: listen: address in use",
		"echo 'fleetmark: one' >&2; echo 'fleetmark: two' >&2; exit 2":    "the fleet did not come up: one; two",
		"exit 7":     "the fleet did not come up: exit status 7",
		":":          "the fleet did not come up: its process ended without a word",
		"echo hello": "the fleet did not come up: its first line is \"hello\\n\": want one that says where it is, as `fleetmark fleet` prints it",
	} {
		var stderr bytes.Buffer
		o := options(t, small())
		o.Fleet, o.FleetCommand, o.Stderr = FleetProcess, []string{"/bin/sh", "-c", script}, &stderr
		_, err := Run(t.Context(), o)
		require.EqualError(t, err, want)
		require.ErrorAs(t, err, new(*scenarios.UsageError))
		require.Empty(t, stderr.String(), "it is said once")
	}
}

// stubborn is a fleet's process that comes up and stays when it is told to end.
const stubborn = `read order; echo early >&2; echo '{"address":"http://127.0.0.1:1","control":"http://127.0.0.1:1","token":"t"}'; echo late >&2; exec 2>&- ; sleep 1000 & wait`

// TestFleetThatDoesNotEnd is killed, and that is said. What it started has its output
// and doesn't keep us.
func TestFleetThatDoesNotEnd(t *testing.T) {
	var stderr bytes.Buffer
	p, err := startProcess(t.Context(), []string{"/bin/sh", "-c", stubborn}, small(), &stderr, fleetStart)
	require.NoError(t, err)
	p.child.Grace = time.Millisecond
	require.EqualError(t, p.close(), "the fleet's process did not end within 1ms of being told to: it was killed")
	require.Equal(t, "early\nlate\n", stderr.String(), "what a fleet says that is up is passed on")
}

// TestFleetThatEndedFirst: that its input is closed already is no error of its own.
func TestFleetThatEndedFirst(t *testing.T) {
	f, err := startProcess(t.Context(), []string{"/bin/sh", "-c", strings.Replace(stubborn, "sleep 1000 & wait", "exit 0", 1)}, small(), nil, fleetStart)
	require.NoError(t, err)
	<-f.died()
	<-f.child.Ended()
	require.NoError(t, f.close())
}

func TestFleetThatNeverSpeaks(t *testing.T) {
	command := []string{"/bin/sh", "-c", "read order; read end"}
	_, err := startProcess(t.Context(), command, small(), io.Discard, time.Millisecond)
	require.EqualError(t, err, "the fleet did not come up: its process said nothing in 1ms")
	_, usage := errors.AsType[*scenarios.UsageError](err)
	require.True(t, usage)
}

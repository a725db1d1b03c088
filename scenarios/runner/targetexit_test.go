package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// tellingItsPID returns a command that starts the fleet, and a function that finds the fleet's
// process once it is up.
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
	o.Target.Address = target.OwnProcess
	command, fleet := tellingItsPID(t)
	o.Target.Command = command
	o.Observer = &atRepetition{phase: Timed, number: 1, do: func() { require.NoError(t, fleet().Kill()) }}
	o.Spec.Warmup = 0
	res, err := Run(t.Context(), o)
	require.ErrorIs(t, err, target.ErrExited)
	run, loadErr := rundir.Load(res.Directory)
	require.NoError(t, loadErr)
	require.Equal(t, results.StatusFailed, run.Status)
	require.False(t, run.Valid)
	require.Equal(t, results.Invalid, run.Verdict)
	require.Contains(t, run.Invalid[0], "the fleet's process ended in the middle of the run")
}

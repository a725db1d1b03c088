package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

// TestDoctor checks that the exit code follows from the checks, and that the checks follow from the
// facts.
func TestDoctor(t *testing.T) {
	cmd, _ := command(t, "doctor", "--json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var o doctorJSON
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &o), "%s", stderr.String())
	require.Equal(t, 1, strings.Count(stdout.String(), "\n"))
	require.Equal(t, doctor.Examine(o.Facts, doctorAdvice()), o.Checks)
	require.Equal(t, doctor.Fit(o.Checks), o.Fit)
	require.Equal(t, map[bool]int{true: cli.ExitPass, false: cli.ExitInconclusive}[o.Fit], cmd.ProcessState.ExitCode())
	require.Equal(t, o.Fit, err == nil)
	require.GreaterOrEqual(t, len(o.Facts.Noise.B), 10)
	require.Len(t, o.Facts.Noise.A, len(o.Facts.Noise.B))
	require.Positive(t, o.Facts.ClockCost)
	require.Positive(t, o.Facts.Timer.Turns)
	require.Equal(t, 6, strings.Count(stderr.String(), "\n"), "one line for each step: %s", stderr.String())
	require.Contains(t, stderr.String(), "doctor 6/6: how alike the same is\n")
}

func TestDoctorInterrupted(t *testing.T) {
	cmd, _ := command(t, "doctor")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		if strings.HasPrefix(line, "doctor 6/6") {
			break
		}
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
	require.Equal(t, "fleetmark: interrupted\n", string(rest))
	require.Empty(t, stdout.String())
}

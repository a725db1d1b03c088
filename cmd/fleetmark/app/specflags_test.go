package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// specOf returns the scenario that a command line asks for.
func specOf(t *testing.T, args ...string) (scenarios.Spec, error) {
	t.Helper()
	cmd := newRun(cli.Console{})
	require.NoError(t, cmd.ParseFlags(args))
	sets, err := cmd.Flags().GetStringArray("set")
	require.NoError(t, err)
	s, err := scenarios.Find("rollout")
	require.NoError(t, err)
	return validWithFlags(cmd, s, sets)
}

// validWithFlags returns the scenario as run validates it.
func validWithFlags(cmd *cobra.Command, s scenarios.Spec, sets []string) (scenarios.Spec, error) {
	s, typed, err := specWithFlags(cmd, s, sets)
	if err == nil {
		err = typed.rephrase(runner.Options{Spec: s}.Validate())
	}
	return s, err
}

func TestTextFlagsAreTakenAsTheyAre(t *testing.T) {
	for _, name := range []string{"true", "1.0", "a: b", "~", "'", `"quoted"`, "- x", "{", "*a", "# no comment",
		" led by a space", "null"} {
		s, err := specOf(t, "--artifact", name)
		require.NoError(t, err, name)
		require.Equal(t, name, s.Artifact.File)
	}
	for _, flag := range []string{"--transport", "--addressing"} {
		_, err := specOf(t, flag, "a: b")
		require.ErrorContains(t, err, flag+` "a: b": want `)
	}
}

// TestMistakesAreToldInTheUsersWords checks that a mistake names the flag that set its field last.
func TestMistakesAreToldInTheUsersWords(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--workers", "0"}, "--workers 0: want 1 to 65536"},
		{[]string{"--workers", "many"}, `--workers "many": want a whole number`},
		{[]string{"--workers", "5", "--set", "load.workers=0"}, "--set load.workers: 0: want 1 to 65536"},
		{[]string{"--workers", "5", "--set", "load={workers: 0}"}, "--set load: load.workers: 0: want 1 to 65536"},
		{[]string{"--set", "load={workers: 3}", "--set", "load.workers=-1"}, "--set load.workers: -1: want 1 to 65536"},
		{[]string{"--set", "load.model=closed", "--rate", "3/s"},
			"--rate 3/s: the closed model has no use for it; it is for constant, poisson, ramp, spike, breakpoint and rollout"},
		{[]string{"--set", "fleet.groups=[{name: a, share: 5%}, {name: a, share: 5%}]"},
			`--set fleet.groups: fleet.groups[1].name: "a": want a name that no other group has, other than "all" and "rest"`},
		{[]string{"--set", "fleet.groups=[{name: a, share: 5%}]", "--set", "fleet.groups[0].share=0"},
			"--set fleet.groups[0].share: 0: want above 0, and 1 at most"},
		{[]string{"--set", "fleet.groups[0].share=0"},
			"--set fleet.groups[0].share: fleet.groups is empty: want the whole list, fleet.groups=[…]"},
		{[]string{"--workers", "5", "--set", "load.wrkers=3"},
			`--set load.wrkers: unknown key "wrkers": did you mean workers?; want one of model, operation, workers, rate, duration, drain, max_skew, think, arrivals, ramp, spike, burst, stages, breakpoint, rollout`},
	} {
		_, err := specOf(t, c.args...)
		require.EqualError(t, err, c.want)
	}
}

// TestAnotherModelOnTheCommandLine checks that --model drops the fields of the scenario's own
// model, as a variant does, but nothing that was typed.
func TestAnotherModelOnTheCommandLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.yaml")
	require.NoError(t, os.WriteFile(path,
		[]byte("name: s\nload: {model: ramp, rate: 1/s, ramp: {to: 9/s}, duration: 5s}\n"), 0o600))
	cmd := newRun(cli.Console{})
	written, err := scenarios.Find(path)
	require.NoError(t, err)
	s, err := validWithFlags(cmd, written, []string{"load.model=closed"})
	require.NoError(t, err)
	require.Equal(t, scenarios.LoadSpec{Model: scenarios.ClosedLoop, Operation: delivery.OpDeliver, Workers: 32,
		Duration: scenarios.Duration(5 * time.Second)}, s.Load)
	_, err = validWithFlags(cmd, written, []string{"load.rate=2/s", "load.model=closed"})
	require.EqualError(t, err, "--set load.rate: 2/s: the closed model has no use for it; it is for constant, poisson, ramp, spike, breakpoint and rollout")
}

// TestOptionsAreNamedByTheirFlags checks that a command which has a flag for an option names the
// flag, and that any other names the option.
func TestOptionsAreNamedByTheirFlags(t *testing.T) {
	for option, flag := range map[string]string{
		"Target.Address": "--fleet", "Target.Control": "--fleet-control", "Target.DeviceFile": "--devices-from",
		"Target.Profile": "--profile-fleet",
		"load.workers":   "--workers", "fleet.devices": "--devices", "repetitions": "--repeat",
		"client.max_idle": "client.max_idle",
	} {
		err := fmt.Errorf("run 3: %w", &scenarios.OptionError{Option: option, Value: "7",
			Problem: "is too much for {profiled}"})
		require.Equal(t, "run 3: "+flag+" 7: is too much for --profiled", withFlags(newRun(cli.Console{}), err))
		require.Equal(t, "run 3: "+option+" 7: is too much for profiled", withFlags(newVersion(cli.Console{}), err))
	}
	other := errors.New("another error")
	require.Equal(t, "another error", withFlags(newRun(cli.Console{}), other))
}

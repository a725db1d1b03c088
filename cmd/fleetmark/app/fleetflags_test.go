package app

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// TestMistakesAboutAFleetNameTheirFlags checks that a mistake about the fleet that a run is to
// drive is reported in one line, which names the flag that the user typed or has to type.
func TestMistakesAboutAFleetNameTheirFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	fleet, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 3, Addressing: address.Path, Seed: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	at := fleet.Ready()
	driven, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 3, Addressing: address.Path, Seed: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, driven.Close()) }()
	control, err := mockfleet.NewControl(driven.Ready().Control, driven.Ready().Token)
	require.NoError(t, err)
	defer control.Close()
	require.NoError(t, control.Lease(t.Context(), "somebody else"))

	for _, c := range []struct {
		token, args string
		want        string // a regular expression; ADDRESS and CONTROL stand for the first fleet's addresses
	}{
		{"", "--fleet http://me:word@127.0.0.1:1",
			`--fleet: the address \(not shown\) holds a user or a password: want http://HOST:PORT`},
		{"", "--fleet ADDRESS --fleet-control http://me:word@127.0.0.1:1",
			`--fleet-control: the address \(not shown\) holds a user or a password: want http://HOST:PORT`},
		{"", "--profile-fleet --fleet inprocess",
			`--profile-fleet: only a fleet in a process of its own is profiled \(--fleet process\): of another take profiles with fleetmark profile capture`},
		{"", "--profile-fleet --devices-from nobody.txt",
			`--profile-fleet: only a fleet in a process of its own is profiled \(--fleet process\): of another take profiles with fleetmark profile capture`},
		{"", "--profile-fleet --profiled 0",
			`--profile-fleet: scenario rollout has no profiled repetition: add --profiled 1`},
		{"", "--devices-from nobody.txt", `--devices-from: open nobody\.txt: no such file or directory`},
		{"", "--fleet nonsense --devices 3", `--fleet nonsense: .*`},
		{"", "--fleet ADDRESS --addressing path --devices 4",
			`--fleet ADDRESS: device 3 of 4 does not answer at ADDRESS/d/3; is the fleet up, and do --devices and --addressing agree with it\?: GET /health answers 404 Not Found`},
		{at.Token, "--fleet ADDRESS --fleet-control CONTROL --devices 4",
			`--fleet ADDRESS: it has 3 devices, the scenario 4: use --devices 3, or a larger fleet`},
		{at.Token, "--fleet ADDRESS --fleet-control CONTROL --devices 3 --addressing ip",
			`--fleet ADDRESS: it has path addressing, the scenario ip: leave the addressing out, or start the fleet with --addressing ip`},
		{"wrong", "--fleet ADDRESS --fleet-control CONTROL --devices 3", `--fleet-control CONTROL: .*token.*`},
		{"", "--fleet ADDRESS --fleet-control nonsense --devices 3", `--fleet-control nonsense: .*`},
		{driven.Ready().Token, "--fleet ADDRESS --fleet-control DRIVEN --devices 3",
			`--fleet ADDRESS: the fleet is driven by "somebody else", whose lease lasts \d+s more unless it is renewed: wait until the other driver has ended, or drive a fleet of your own`},
	} {
		t.Setenv(tokenEnv, c.token)
		named := strings.NewReplacer("ADDRESS", at.Address, "CONTROL", at.Control, "DRIVEN", driven.Ready().Control)
		code, stdout, stderr := embedded("",
			append([]string{"run", "--no-progress"}, strings.Fields(named.Replace(c.args))...)...)
		require.Equal(t, cli.ExitUsage, code, c.args)
		require.Empty(t, stdout)
		quoted := strings.NewReplacer("ADDRESS", regexp.QuoteMeta(at.Address), "CONTROL", regexp.QuoteMeta(at.Control))
		require.Regexp(t, "^fleetmark: "+quoted.Replace(c.want)+"\n$", stderr, c.args)
	}
}

package target

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestOpen opens a fleet of 40 devices in each place where devices can be.
func TestOpen(t *testing.T) {
	s := small()
	s.Fleet.Addressing, s.Fleet.TLS = address.Path, behavior.TLSGood
	outside, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close()) }()
	at := outside.Ready()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(at.CA)))
	trust := &tls.Config{RootCAs: roots}
	list := filepath.Join(t.TempDir(), "devices")
	require.NoError(t, os.WriteFile(list, []byte(outside.DeviceAddress(7)+"\n"), 0o600))
	for name, row := range map[string]struct {
		options    Options
		kind       string
		devices    int
		addressing address.Mode
		pid        bool
		witness    bool
		ca         bool
		exits      bool
	}{
		"usual":         {Options{Command: fleetCommand()}, OwnProcess, 40, "", true, true, true, true},
		"process":       {Options{Address: "process", Command: fleetCommand()}, OwnProcess, 40, "", true, true, true, true},
		"inprocess":     {Options{Address: "inprocess"}, InProcess, 40, "", false, true, true, false},
		"at an address": {Options{Address: at.Address}, Remote, 40, address.Path, false, false, false, false},
		"asked": {Options{Address: at.Address, Control: at.Control, Token: at.Token}, Remote, 40, address.Path,
			false, true, false, false},
		"listed": {Options{DeviceFile: list}, Listed, 1, "", false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, row.options.Validate())
			f, err := Open(t.Context(), row.options, s, trust)
			require.NoError(t, err)
			require.Equal(t, row.kind, f.Kind())
			require.Equal(t, row.devices, f.Devices().Len())
			require.Equal(t, row.addressing, f.Addressing())
			require.Equal(t, []bool{row.pid, row.witness, row.ca, row.exits},
				[]bool{f.Pid() != 0, f.Witness() != nil, f.CA() != "", f.Exited() != nil})
			if w := f.Witness(); w != nil {
				status, err := w.Status(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 40, status.Devices)
				require.NoError(t, w.Reset(t.Context()))
				for e, err := range w.Ledger(t.Context()) {
					require.NoError(t, err)
					require.Zero(t, e.Applied)
				}
			}
			require.NoError(t, f.Close())
		})
	}
}

// TestValidate checks the options that can be rejected without asking anybody.
func TestValidate(t *testing.T) {
	for _, row := range []struct {
		options Options
		option  string // the option that the error names
		says    string
	}{
		{Options{Address: "http://me:word@127.0.0.1:1"}, "Target.Address",
			"Target.Address: the address (not shown) holds a user or a password: want http://HOST:PORT"},
		{Options{Control: "http://me:word@127.0.0.1:1"}, "Target.Control",
			"Target.Control: the address (not shown) holds a user or a password: want http://HOST:PORT"},
		{Options{Address: "inprocess", Profile: true}, "Target.Profile",
			"Target.Profile: only a fleet in a process of its own is profiled"},
		{Options{DeviceFile: "devices", Profile: true}, "Target.Profile",
			"Target.Profile: only a fleet in a process of its own is profiled"},
	} {
		var refused *scenarios.OptionError
		require.ErrorAs(t, row.options.Validate(), &refused)
		require.Equal(t, row.option, refused.Option)
		require.EqualError(t, refused, row.says)
	}
	require.NoError(t, Options{Profile: true}.Validate())
	require.NoError(t, Options{Address: "process", Profile: true}.Validate())
	require.ErrorIs(t, Options{Address: "http://a", Profile: true}.Validate(), ErrNotProfiled)
}

// TestMayReboot checks that a device may break connections if it has a fault that reboots it, or an
// install time.
func TestMayReboot(t *testing.T) {
	install, err := random.Fixed(time.Second)
	require.NoError(t, err)
	living := behavior.Behavior{Life: behavior.InstallTimes{Install: install}}
	rebooting := behavior.Behavior{Faults: []fault.Fault{{Kind: "status-500"}, {Kind: "reboot"}}}
	for _, row := range []struct {
		config mockfleet.Config
		want   bool
	}{
		{mockfleet.Config{}, false},
		{mockfleet.Config{Behavior: behavior.Behavior{Faults: []fault.Fault{{Kind: "status-500"}}}}, false},
		{mockfleet.Config{Behavior: living}, true},
		{mockfleet.Config{Behavior: rebooting}, true},
		{mockfleet.Config{Groups: []behavior.Group{{}, {Behavior: rebooting}}}, true},
	} {
		require.Equal(t, row.want, mayReboot(row.config))
	}
}

// TestStartProfile checks that the profiles are of the fleet's process, and that they say how many
// operations they cover.
func TestStartProfile(t *testing.T) {
	p, err := StartProcess(t.Context(), fleetCommand(), small(), os.Stderr)
	require.NoError(t, err)
	dir := t.TempDir()
	stop, err := Profiler(p).StartProfile(t.Context(), dir, 3, map[string]string{"scenario": "small"})
	require.NoError(t, err)
	_, err = p.StartProfile(t.Context(), dir, 4, nil)
	require.EqualError(t, err, "profiling the fleet: want an order to profile, or one to stop after it")
	require.NoError(t, stop(7))
	require.EqualError(t, stop(7), "profiling the fleet: want an order to profile, or one to stop after it")
	for _, name := range []string{"cpu.3.pb.gz", "allocs.3.pb.gz", "trace.3.out"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	require.NoError(t, p.Close())
	require.ErrorIs(t, stop(7), ErrExited)
}

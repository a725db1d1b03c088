package runner

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// Runs on fleets other than the run's own.

func TestRunOverSomebodyElsesFleet(t *testing.T) {
	s := small()
	s.Fleet.Addressing = address.Path
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer fleet.Close()
	o := options(t, s)
	o.Target.Address = fleet.Ready().Address
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, res.Run.Unconfirmed)
	require.Equal(t, results.Counts{Devices: 40, Updated: 40}, res.Run.Counts)
	versions := map[string]bool{}
	for e := range fleet.Ledger() {
		require.EqualValues(t, 4, e.Applied,
			"each repetition has its own version, so that devices don't count as updated by an earlier one")
		versions[e.Version] = true
	}
	require.Len(t, versions, 1)

	o.Spec.Fleet.Devices = 41
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "device 40 of 41 does not answer")
	o.Target.Control, o.Target.Token = fleet.Ready().Control, fleet.Ready().Token
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "it has 40 devices, the scenario 41: use fleet.devices 40, or a larger fleet")
	o.Spec.Fleet.Devices, o.Target.Token = 40, "wrong"
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "Target.Control http")
	require.NotContains(t, err.Error(), "wrong\"")
}

// TestRunOverAFleetThatIsNotWell checks that a fleet whose first devices don't answer can be driven
// if its control port can confirm its size.
func TestRunOverAFleetThatIsNotWell(t *testing.T) {
	s := small()
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer fleet.Close()
	for i := range 3 {
		require.NoError(t, fleet.SetFaults(i, behavior.Behavior{Faults: []fault.Fault{{Kind: "offline"}}}))
	}
	s.Client.MaxAttempts = 1
	o := options(t, s)
	o.Target.Address = fleet.Ready().Address
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "device 0 of 40 does not answer")
	o.Target.Control, o.Target.Token = fleet.Ready().Control, fleet.Ready().Token
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 40, Updated: 37, Failed: 3}, res.Run.Counts)
	for _, r := range res.Records {
		failed := int64(0)
		if r.Op == string(delivery.OpDeliver) {
			failed = 3
		}
		require.Equal(t, failed, r.Failed, "%s of repetition %d", r.Op, r.Repetition)
	}
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, res.Records, run.Records)
}

// TestRunOverTLS checks devices that speak TLS, each group in its own way. The client trusts the
// fleet's own authority.
func TestRunOverTLS(t *testing.T) {
	for _, kind := range []string{target.InProcess, target.OwnProcess} {
		for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
			t.Run(kind+" "+string(transport), func(t *testing.T) {
				s := small()
				s.Client.Transport, s.Client.MaxAttempts = transport, 1
				s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
				s.Fleet.TLS, s.Fleet.Addressing = behavior.TLSGood, address.DefaultMode()
				if s.Fleet.Addressing == address.IP {
					s.Fleet.Groups = []behavior.Group{{Name: "old", Share: 0.1, TLS: behavior.TLSExpired}}
				}
				o := options(t, s)
				o.Target.Address, o.Target.Command = kind, fleetCommand(t)
				res, err := Run(t.Context(), o)
				require.NoError(t, err)
				bad := len(s.Fleet.Groups) * 4
				require.Equal(t, results.Counts{Devices: 40, Updated: 40 - bad, Failed: bad}, res.Run.Counts)
				require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
			})
		}
	}
}

// TestRunTrustsWhomItIsTold checks that for a fleet that somebody else started, the trusted
// authority is read from a file.
func TestRunTrustsWhomItIsTold(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Fleet.Addressing, s.Fleet.TLS = address.Path, behavior.TLSGood
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer fleet.Close()
	o := options(t, s)
	o.Target.Address = fleet.Ready().Address
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	file := filepath.Join(t.TempDir(), "ca.pem")
	o.Spec.Client.CA = file
	_, err = Run(t.Context(), o)
	require.EqualError(t, err, "client.ca "+file+": no such file or directory")
	require.NoError(t, os.WriteFile(file, []byte("not PEM"), 0o600))
	_, err = Run(t.Context(), o)
	require.EqualError(t, err, "client.ca "+file+": want certificates in PEM, such as the ca of a fleet's first line")
	wide := []byte{0xff, 0xfe} // the byte order mark of UTF-16, which PowerShell's redirection writes
	for _, unit := range utf16.Encode([]rune(fleet.Ready().CA)) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	for _, text := range [][]byte{[]byte(fleet.Ready().CA), wide, []byte("\ufeff" + fleet.Ready().CA)} {
		require.NoError(t, os.WriteFile(file, text, 0o600))
		res, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, results.Counts{Devices: 40, Updated: 40}, res.Run.Counts)
	}
}

func TestRunListedDevices(t *testing.T) {
	s := small()
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer fleet.Close()
	list := "# two of them\n" + fleet.DeviceAddress(3) + "\n\n" + strings.TrimPrefix(fleet.DeviceAddress(7), "http://") +
		"  " + address.DeviceID(7) + " # with its ID\n"
	o := options(t, s)
	o.Target.DeviceFile = filepath.Join(t.TempDir(), "devices")
	require.NoError(t, os.WriteFile(o.Target.DeviceFile, []byte(list), 0o600))
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, res.Run.Unconfirmed)
	require.Equal(t, results.Counts{Devices: 2, Updated: 2}, res.Run.Counts)
}

package runner

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// TestASmallMillion runs the scenario with a fiftieth of its devices. Each device is updated once
// over one connection, and none is lost.
func TestASmallMillion(t *testing.T) {
	devices := 20_000
	if testenv.Raced {
		devices = 5_000
	}
	s, err := scenarios.Find("million")
	require.NoError(t, err)
	require.Equal(t, 1_000_000, s.Fleet.Devices)
	require.Equal(t, address.IP, s.Fleet.Addressing)
	require.Equal(t, []int{1, 0, 0}, []int{s.Repetitions, s.Warmup, s.Profiled})
	require.Greater(t, s.Client.MaxIdle, 2*s.Load.Workers)
	s.Fleet.Devices = devices

	o := options(t, s)
	o.Target.Address, o.Target.Command = target.OwnProcess, fleetCommand(t)
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	whole := results.Counts{Devices: devices, Updated: devices}
	require.Equal(t, whole, res.Run.Counts)
	require.Equal(t, []results.Counts{whole}, res.Run.RepetitionCounts)
	require.EqualValues(t, devices, res.Run.Harness.Dials, "a device, a connection")
	requests, _ := res.Records[2].Value("requests/device")
	require.Equal(t, 2.0, requests)
}

// TestEachDeviceHasItsAddress checks that the fleet's own counts of connections and of devices
// agree with the client's.
func TestEachDeviceHasItsAddress(t *testing.T) {
	s, err := scenarios.Find("million")
	require.NoError(t, err)
	s.Fleet.Devices = 500
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	o := options(t, s)
	ready := fleet.Ready()
	o.Target.Address, o.Target.Control, o.Target.Token = ready.Address, ready.Control, ready.Token
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	status := fleet.Status()
	require.EqualValues(t, 500, status.Updated)
	require.EqualValues(t, 500, res.Run.Harness.Dials)
	const health = 1 // the run first checks one device, over a connection of its own
	require.EqualValues(t, 500+health, status.ConnectionsTotal)
	require.EqualValues(t, 2*500+health, status.Requests)
	addresses := map[string]bool{}
	for i := range fleet.Devices() {
		addresses[fleet.DeviceAddress(i)] = true
	}
	require.Len(t, addresses, 500)
}

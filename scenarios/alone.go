package scenarios

import (
	"context"
	"io"
)

// FleetAlone is a fleet in a process of its own without a run, for measurements of the
// client that are no scenario.
type FleetAlone struct{ fleet fleet }

// StartFleetAlone starts the devices of a scenario; command is the program and the
// arguments that lead to [ServeFleet], and what the fleet says goes to stderr. It ends
// with Close, and with this process.
func StartFleetAlone(ctx context.Context, command []string, s Spec, stderr io.Writer) (*FleetAlone, error) {
	f, err := startProcess(ctx, command, s, stderr, fleetStart)
	if err != nil {
		return nil, err
	}
	return &FleetAlone{f}, nil
}

// Devices lists them.
func (f *FleetAlone) Devices() *DeviceList { return f.fleet.devices() }

// Close ends the devices' process, and waits for it.
func (f *FleetAlone) Close() error { return f.fleet.close() }

// PeakResident is the most memory that was resident since [ResetPeakResident], in bytes; 0 where
// the system doesn't tell.
func PeakResident() uint64 { return peakResident() }

// ResetPeakResident makes the present the peak, where the system lets it.
func ResetPeakResident() { resetPeak() }

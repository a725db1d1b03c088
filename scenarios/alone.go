package scenarios

import (
	"context"
	"io"
)

// FleetAlone is a fleet in a process of its own without a run: for measurements of the
// client that are no scenario, or for drivers that are processes themselves.
type FleetAlone struct {
	Address   string // of its devices, as Options.Fleet
	Control   string // as Options.FleetControl
	Token     string // as Options.FleetToken: a secret
	Authority string // as Options.FleetCA; empty where its devices speak no TLS

	fleet *process
}

// StartFleetAlone starts the devices of a scenario; command is the program and the
// arguments that lead to [ServeFleet], and what the fleet says goes to stderr. It ends
// with Close, and with this process.
func StartFleetAlone(ctx context.Context, command []string, s Spec, stderr io.Writer) (*FleetAlone, error) {
	p, err := startProcess(ctx, command, s, stderr, fleetStart)
	if err != nil {
		return nil, err
	}
	return &FleetAlone{Address: p.address, Control: p.controlAddress, Token: p.token, Authority: p.ca, fleet: p}, nil
}

// Devices lists them.
func (f *FleetAlone) Devices() *DeviceList { return f.fleet.devices() }

// Close ends the devices' process, and waits for it.
func (f *FleetAlone) Close() error { return f.fleet.close() }

package scenarios

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// fleet is the devices that a run drives, wherever they are: in a process of
// their own, in this one, or somebody else's.
type fleet interface {
	// kind is what run.json calls it.
	kind() string
	// pid is its process's, where it has one that the run started; else 0.
	pid() int
	// devices lists them; the runner keeps the order as their index.
	devices() *DeviceList
	// authority is the CA of its devices' certificates, in PEM, where it says so.
	authority() string
	// witness is what the fleet itself saw, or nil where nobody tells.
	witness() witness
	// died is closed when the fleet is gone before it should.
	died() <-chan struct{}
	// close ends what the fleet began, and waits.
	close() error
}

// witness is the fleet's own account of a repetition, such as its control port.
type witness interface {
	Reset(ctx context.Context) error
	Ledger(ctx context.Context) iter.Seq2[mockfleet.Entry, error]
	Status(ctx context.Context) (mockfleet.Status, error)
}

// FleetConfig is the configuration of the fleet that a scenario asks for.
func (s Spec) FleetConfig() mockfleet.Config {
	return mockfleet.Config{
		Devices: s.Fleet.Devices, Addressing: s.addressing(), Seed: s.Seed, Behavior: s.Fleet.Behavior, Groups: s.Fleet.Groups, TLS: s.Fleet.TLS, Capacity: float64(s.Fleet.Capacity),
	}
}

func (s Spec) addressing() mockfleet.Addressing {
	return cmp.Or(s.Fleet.Addressing, mockfleet.DefaultAddressing())
}

// inProcess is a fleet in the driver's own process: for benchmarks and tests, and for systems where
// a second process is not wanted. Profiles and allocations then hold both sides.
type inProcess struct {
	fleet *mockfleet.Fleet
	list  *DeviceList
}

func startInProcess(ctx context.Context, s Spec) (fleet, error) {
	f, err := mockfleet.Start(ctx, s.FleetConfig())
	if err != nil {
		return nil, err
	}
	list, err := addressed(f.Ready().Address, s.addressing(), f.Devices())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &inProcess{f, list}, nil
}

func (p *inProcess) kind() string                { return FleetInProcess }
func (p *inProcess) pid() int                    { return 0 }
func (p *inProcess) devices() *DeviceList        { return p.list }
func (p *inProcess) authority() string           { return p.fleet.Ready().CA }
func (p *inProcess) witness() witness            { return p }
func (p *inProcess) died() <-chan struct{}       { return nil }
func (p *inProcess) close() error                { return p.fleet.Close() }
func (p *inProcess) Reset(context.Context) error { p.fleet.Reset(); return nil }

func (p *inProcess) Ledger(context.Context) iter.Seq2[mockfleet.Entry, error] {
	return func(yield func(mockfleet.Entry, error) bool) {
		for e := range p.fleet.Ledger() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (p *inProcess) Status(context.Context) (mockfleet.Status, error) { return p.fleet.Status(), nil }

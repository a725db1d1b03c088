package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
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

// inProcess is a fleet in the driver's own process: for benchmarks and tests, and for systems where
// a second process is not wanted. Profiles and allocations then hold both sides.
type inProcess struct {
	fleet *mockfleet.Fleet
	list  *DeviceList
}

func startInProcess(ctx context.Context, s scenarios.Spec) (fleet, error) {
	f, err := mockfleet.Start(ctx, s.FleetConfig())
	if err != nil {
		return nil, err
	}
	list, err := addressed(f.Ready().Address, s.Addressing(), f.Devices())
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

// errFleetLost ends a run whose fleet is there and says nothing.
var errFleetLost = errors.New("the fleet was lost")

// vigil is how a run finds out that its fleet is lost. A process that was stopped, or a
// machine that hangs, refuses nothing: every operation would wait for its deadline, for
// hours where there are many devices, and a question at the control port for its own.
type vigil struct {
	every    time.Duration // how often is looked whether anything came from the devices
	patience time.Duration // how long the control port may then take to answer
}

// The usual vigil costs a run nothing while anything comes from the devices, and is more
// patient than a fleet is slow that is starved of its processor.
const (
	vigilEvery    = 5 * time.Second
	vigilPatience = 20 * time.Second
)

// watchFleet calls lost, once, when nothing came from the devices for a while and the
// control port doesn't answer. It returns then, or when ctx ends.
func (r *runner) watchFleet(ctx context.Context, lost func(error)) {
	w := r.fleet.witness()
	tick := time.NewTicker(r.vigil.every)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if c := r.client.Load(); c != nil {
			if read := c.Stats().BytesRead; read != last {
				last = read
				continue
			}
		}
		if err := r.ask(ctx, w); err != nil && ctx.Err() == nil {
			lost(err)
			return
		}
	}
}

// ask asks the control port for a sign of life.
func (r *runner) ask(ctx context.Context, w witness) error {
	ctx, cancel := context.WithTimeout(ctx, r.vigil.patience)
	defer cancel()
	_, err := w.Status(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: nothing comes from its devices, and its control port did not answer within %v", errFleetLost, r.vigil.patience)
	}
	return fmt.Errorf("%w: nothing comes from its devices, and its control port can't be asked: %w", errFleetLost, err)
}

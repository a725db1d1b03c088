package target

import (
	"context"
	"errors"
	"iter"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios"
)

// inProcess is a fleet in this process, for benchmarks and tests, and for systems on which no
// second process is wanted. Profiles and allocations contain both sides then. The fleet is its own
// witness.
type inProcess struct {
	known
	fleet *mockfleet.Fleet
}

func openInProcess(ctx context.Context, s scenarios.Spec) (Target, error) {
	f, err := mockfleet.Start(ctx, s.FleetConfig())
	if err != nil {
		return nil, err
	}
	of, err := knownOf(InProcess, s, f.Ready())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &inProcess{of, f}, nil
}

func (p *inProcess) CA() string                  { return p.fleet.Ready().CA }
func (p *inProcess) Witness() Witness            { return p }
func (p *inProcess) Close() error                { return p.fleet.Close() }
func (p *inProcess) Reset(context.Context) error { p.fleet.Reset(); return nil }

func (p *inProcess) Status(context.Context) (mockfleet.Status, error) { return p.fleet.Status(), nil }

func (p *inProcess) Ledger(context.Context) iter.Seq2[ledger.Entry, error] {
	return func(yield func(ledger.Entry, error) bool) {
		for e := range p.fleet.Ledger() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

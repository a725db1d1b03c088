package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/fleetmark/fleetmark/delivery"
)

// prime collects the heap, and does what a load takes for granted before the clock and
// the gauge start:
//
//   - There is something to verify: where the load verifies alone, every device is
//     brought the update.
//   - Connections stand, where the load goes on for a time. Opening them is part of
//     a rollout, where each device has one operation. Under a load that goes on it
//     is a fixed cost, which divided by the operations that a machine gets round to
//     would be other allocations an operation on every machine.
//
// What the devices saw of it is kept apart from what they see of the load.
func (r *runner) prime(ctx context.Context, client *delivery.Client, dialer *dialer, u *delivery.Update, load LoadSpec) error {
	if load.Operation == Verify {
		if err := r.primeDevices(ctx, u); err != nil {
			return err
		}
	}
	// Before connections are primed: it empties the pools that they fill.
	runtime.GC()
	if load.Lasts() > 0 {
		r.primeConnections(ctx, client, dialer, u)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := r.fleet.witness()
	switch {
	case w == nil:
		return nil
	case load.Operation == Verify: // a reset would take the update away again
		return r.claims.discount(w.ledger(ctx))
	case load.Lasts() > 0:
		return w.reset(ctx)
	}
	return nil
}

// primeDevices brings the update to every device, by a client of its own: the load's
// begins without connections.
func (r *runner) primeDevices(ctx context.Context, u *delivery.Update) error {
	cfg := r.clientConfig()
	cfg.Random = rand.NewPCG(r.spec.Seed, 0) // the repetitions count from 1
	client, err := delivery.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	spec := r.spec.Load
	spec.Model, spec.Operation, spec.Rate, spec.Duration = Closed, Deliver, 0, 0
	devices := r.fleet.devices()
	l := &load{
		spec: spec, client: client, devices: devices, update: u,
		recorders: []*recorder{newRecorder(spec)}, claims: newClaims(devices.Len()), failures: newFailures(),
	}
	l.run(ctx)
	if _, failed, _ := l.totals(); failed > 0 && ctx.Err() == nil {
		return fmt.Errorf("readying the devices for verification: %d of %d updates failed: %v", failed, devices.Len(), l.failures.byClass())
	}
	return ctx.Err()
}

// primings is how often each connection is used before the load: a client may make
// one thing at a connection's first use, and another at its second.
const primings = 4

// primeConnections opens the connections that the load will keep, and uses each. What
// comes of it doesn't matter: the load says what fails.
func (r *runner) primeConnections(ctx context.Context, client *delivery.Client, dialer *dialer, u *delivery.Update) {
	devices, workers := r.fleet.devices(), r.spec.Load.Workers
	// Each worker has a device in turn, as under the load. Where there are more
	// devices than connections are kept, none lasts until its device's next turn, and
	// opening one is a part of each operation.
	turns := primings
	if kept := devices.Len(); kept > workers && kept <= r.spec.Client.MaxIdle {
		turns = primings * (kept/workers + 1)
	}
	// A client makes other things for a push than for a verification. One push a worker
	// will do; the fleet forgets it afterwards, where there is a way to tell it to.
	push := r.spec.Load.Operation != Verify && r.fleet.witness() != nil
	meeting := dialer.meet(workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			if push {
				_ = client.Push(ctx, devices.At(i%devices.Len()), u)
			}
			for turn := 0; turn < turns && ctx.Err() == nil; turn++ {
				_ = client.Verify(ctx, devices.At((turn*workers+i)%devices.Len()), u)
				if turn == 0 {
					meeting.leave(1)
				}
			}
		})
	}
	all.Wait()
	dialer.part()
}

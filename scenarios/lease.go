package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// leaseKeeper holds the lease of a fleet that somebody else started, so that no second driver resets
// its ledger, until it is ended.
type leaseKeeper struct {
	control *mockfleet.Control
	stop    context.CancelFunc
	renewal sync.WaitGroup
}

// keepLease takes the lease, and renews it until it is ended. It returns nil if the fleet is of a time
// that knew none.
func keepLease(ctx context.Context, control *mockfleet.Control, scenario string) (*leaseKeeper, error) {
	holder := fmt.Sprintf("a run of %s, process %d", scenario, os.Getpid())
	if err := control.Lease(ctx, holder); err != nil {
		if refused, ok := errors.AsType[*mockfleet.ControlError](err); ok && refused.Status == http.StatusNotFound {
			return nil, nil
		}
		return nil, err
	}
	// The lease outlasts an interrupted run until what that broke off is reconciled.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &leaseKeeper{control: control, stop: stop}
	k.renewal.Go(func() {
		tick := time.NewTicker(mockfleet.LeaseFor / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// If it can't be renewed and another driver takes it, that one's reset shows.
				_ = control.Lease(ctx, holder)
			case <-ctx.Done():
				return
			}
		}
	})
	return k, nil
}

// leaseRelease is how long giving the lease back may take. A fleet that is gone has none to give back.
const leaseRelease = 2 * time.Second

func (k *leaseKeeper) end() {
	k.stop()
	k.renewal.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaseRelease)
	defer cancel()
	_ = k.control.Release(ctx) // if it can't be told, the lease ends by itself soon
}

// mayReboot reports whether devices of the scenario break connections by rebooting.
func (s Spec) mayReboot() bool {
	behaviors := []mockfleet.Behavior{s.Fleet.Behavior}
	for _, g := range s.Fleet.Groups {
		behaviors = append(behaviors, g.Behavior)
	}
	return slices.ContainsFunc(behaviors, reboots)
}

func reboots(b mockfleet.Behavior) bool {
	return b.Life != (mockfleet.Life{}) || slices.ContainsFunc(b.Faults, func(f mockfleet.Fault) bool { return f.Kind == "reboot" })
}

package target

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// A lease of a fleet that somebody else started is renewed until it is ended, so that no other
// driver resets the fleet's ledger in between.
type lease struct {
	control *mockfleet.Control
	stop    context.CancelFunc
	renewal sync.WaitGroup
}

// takeLease takes the lease for a run of a scenario. It returns nil if the fleet is too old to have
// leases.
func takeLease(ctx context.Context, control *mockfleet.Control, scenario string) (*lease, error) {
	holder := fmt.Sprintf("a run of %s, process %d", scenario, os.Getpid())
	if err := control.Lease(ctx, holder); err != nil {
		if refused, ok := errors.AsType[*mockfleet.ControlError](err); ok && refused.Status == http.StatusNotFound {
			return nil, nil
		}
		return nil, err
	}
	// An interrupted run keeps the lease until it has reconciled the operations that it broke off.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{control: control, stop: stop}
	l.renewal.Go(func() {
		tick := time.NewTicker(mockfleet.LeaseFor / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// If renewing fails and another driver takes the lease, this run notices that driver's reset.
				_ = control.Lease(ctx, holder)
			case <-ctx.Done():
				return
			}
		}
	})
	return l, nil
}

// releaseTimeout is how long giving the lease back may take. A fleet that is gone can't take it
// back.
const releaseTimeout = 2 * time.Second

func (l *lease) end() {
	l.stop()
	l.renewal.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	_ = l.control.Release(ctx) // if this fails, the lease soon ends by itself
}

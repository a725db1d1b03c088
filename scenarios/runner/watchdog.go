package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/target"
)

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
	w := r.target.Witness()
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
func (r *runner) ask(ctx context.Context, w target.Witness) error {
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

package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
)

// A fleet's process is profiled on the driver's word: after the scenario, each line on its standard input
// is an order, answered by a line on its standard output. So nothing of it can be had over a network.
type fleetOrder struct {
	Profile *fleetProfile `json:"profile,omitempty"` // begins
	Stop    *int64        `json:"stop,omitempty"`    // ends, after so many operations
}

type fleetProfile struct {
	Dir        string            `json:"dir"`
	Repetition int               `json:"repetition"`
	Labels     map[string]string `json:"labels"`
}

type fleetAnswer struct {
	Error string `json:"error,omitempty"`
}

// FleetProfiles is where a run directory has the profiles of its fleet, below those of the driver.
const FleetProfiles = "fleet"

// obey carries out orders until they end.
func obey(ctx context.Context, orders *bufio.Reader, out io.Writer) {
	var capture *profiles.Capture
	stop := func() error {
		if capture == nil {
			return nil
		}
		_, err := capture.Stop()
		capture = nil
		return err
	}
	defer func() { _ = stop() }() // the driver is gone: nobody could be told
	answers := json.NewEncoder(out)
	for {
		line, err := orders.ReadBytes('\n')
		if err != nil {
			return
		}
		var o fleetOrder
		if err = json.Unmarshal(line, &o); err == nil {
			switch {
			case o.Profile != nil && capture == nil:
				capture, err = profiles.Start(ctx, o.Profile.Dir, o.Profile.Repetition, profiles.Config{Labels: o.Profile.Labels, TraceFor: traceFor})
			case o.Stop != nil && capture != nil:
				err = errors.Join(capture.Label(profiles.OperationsLabel, fmt.Sprint(*o.Stop)), stop())
			default:
				err = errors.New("want an order to profile, or one to stop after it")
			}
		}
		var a fleetAnswer
		if err != nil {
			a.Error = err.Error()
		}
		if answers.Encode(a) != nil {
			return
		}
	}
}

// fleetOrderWithin is how long an order may take: profiles of a million devices are written in seconds.
const fleetOrderWithin = time.Minute

// order sends an order to the fleet's process and waits until it is carried out.
func (p *process) order(ctx context.Context, o fleetOrder) error {
	if err := p.child.Send(o); err != nil {
		return err
	}
	late := time.NewTimer(fleetOrderWithin)
	defer late.Stop()
	select {
	case line := <-p.answers:
		var a fleetAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("profiling the fleet: its answer is %.80q", line)
		}
		if a.Error != "" {
			return fmt.Errorf("profiling the fleet: %s", a.Error)
		}
		return nil
	case <-p.child.Ended():
		return errFleetDied
	case <-late.C:
		return fmt.Errorf("profiling the fleet: its process said nothing in %v", fleetOrderWithin)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// profileFleet begins to profile the fleet, where that is asked for. stop ends it.
func (r *runner) profileFleet(ctx context.Context, repetition int) (stop func(operations int64) error, err error) {
	p, ok := r.fleet.(*process)
	if !ok || !r.o.ProfileFleet {
		return func(int64) error { return nil }, nil
	}
	dir, err := filepath.Abs(filepath.Join(r.dir.ProfilesDir(), FleetProfiles))
	if err != nil {
		return nil, err
	}
	if err := p.order(ctx, fleetOrder{Profile: &fleetProfile{Dir: dir, Repetition: repetition, Labels: r.labels()}}); err != nil {
		return nil, err
	}
	// It is ended also where the run is: what was profiled is kept.
	return func(operations int64) error {
		return p.order(context.WithoutCancel(ctx), fleetOrder{Stop: &operations})
	}, nil
}

package target

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/scenarios"
)

// ErrNotDriven is the error of [Serve] if its input doesn't begin with a scenario.
var ErrNotDriven = errors.New("it is for the driver, which starts it")

// Serve runs in the process of a fleet that a [Process] has started. It reads a scenario from the
// first line of in and starts the devices. It writes a line to out that says where they are, or why
// they can't be started. Then it carries out requests from in. It returns when in or ctx ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("standard input holds no scenario; %w: %w", ErrNotDriven, err)
	}
	var s scenarios.Spec
	if err := json.Unmarshal(line, &s); err != nil {
		return fmt.Errorf("standard input is not a scenario as JSON; %w: %w", ErrNotDriven, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := json.NewEncoder(out)
	f, err := mockfleet.Start(ctx, s.FleetConfig())
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "; ")
		return errors.Join(err, first.Encode(firstLine{Error: text}))
	}
	if err := first.Encode(firstLine{Ready: f.Ready()}); err != nil {
		return errors.Join(err, f.Close())
	}
	ended := make(chan struct{})
	// This goroutine can outlive the function only if ctx ended first, since a read of standard
	// input can't be canceled. The process is about to exit then.
	go func() {
		defer close(ended)
		serveRequests(ctx, lines, out)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return f.Close()
}

// A firstLine is the first line of the standard output of a fleet's process: where the fleet is, or
// why it didn't come up.
type firstLine struct {
	mockfleet.Ready
	Error string `json:"error,omitempty"`
}

// A fleet's process is profiled when its driver asks for it: each line of its standard input after
// the scenario is a request, which a line on its standard output answers. Profiles can't be taken
// over a network.
type request struct {
	Profile *profileRequest `json:"profile,omitempty"` // begins to profile
	Stop    *int64          `json:"stop,omitempty"`    // ends profiling; the value is the number of operations that were profiled
}

type profileRequest struct {
	Dir        string            `json:"dir"`
	Repetition int               `json:"repetition"`
	Labels     map[string]string `json:"labels"`
}

type response struct {
	Error string `json:"error,omitempty"`
}

// TraceDuration is how much of a profiled repetition the execution trace covers. It takes some
// megabytes.
const TraceDuration = 100 * time.Millisecond

// ProfilesFolder is the directory with the profiles of the fleet, below those of the driver in a
// run directory.
const ProfilesFolder = "fleet"

// serveRequests carries out requests until they end.
func serveRequests(ctx context.Context, requests *bufio.Reader, out io.Writer) {
	var running *capture.Capture
	stop := func() error {
		if running == nil {
			return nil
		}
		_, err := running.Stop()
		running = nil
		return err
	}
	defer func() { _ = stop() }() // an error can't be reported, since the driver is gone
	responses := json.NewEncoder(out)
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		if err = json.Unmarshal(line, &r); err == nil {
			switch {
			case r.Profile != nil && running == nil:
				cfg := capture.Config{Labels: r.Profile.Labels, TraceDuration: TraceDuration}
				running, err = capture.Start(ctx, r.Profile.Dir, r.Profile.Repetition, cfg)
			case r.Stop != nil && running != nil:
				err = errors.Join(running.Label(profiles.OperationsLabel, fmt.Sprint(*r.Stop)), stop())
			default:
				err = errors.New("want an order to profile, or one to stop after it")
			}
		}
		var answer response
		if err != nil {
			answer.Error = err.Error()
		}
		if responses.Encode(answer) != nil {
			return
		}
	}
}

// requestTimeout is how long a request may take. Writing the profiles of a million devices takes
// seconds.
const requestTimeout = time.Minute

// call sends a request to the fleet's process and waits until it is carried out.
func (p *Process) call(ctx context.Context, r request) error {
	if err := p.child.Send(r); err != nil {
		return err
	}
	late := time.NewTimer(requestTimeout)
	defer late.Stop()
	select {
	case line := <-p.responses:
		var answer response
		if err := json.Unmarshal(line, &answer); err != nil {
			return fmt.Errorf("profiling the fleet: its answer is %.80q", line)
		}
		if answer.Error != "" {
			return fmt.Errorf("profiling the fleet: %s", answer.Error)
		}
		return nil
	case <-p.child.Ended():
		return ErrExited
	case <-late.C:
		return fmt.Errorf("profiling the fleet: its process said nothing in %v", requestTimeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// StartProfile implements [Profiler].
func (p *Process) StartProfile(
	ctx context.Context, dir string, repetition int, labels map[string]string,
) (stop func(operations int64) error, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := p.call(ctx, request{Profile: &profileRequest{dir, repetition, labels}}); err != nil {
		return nil, err
	}
	// Profiling ends in order even if the run was interrupted, which keeps the profiles.
	return func(operations int64) error { return p.call(context.WithoutCancel(ctx), request{Stop: &operations}) }, nil
}

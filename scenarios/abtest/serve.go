package abtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/pprof"

	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// Serve is a driver: it reads a hello and requests from in, and answers each on out. It drives
// client, or that of package delivery if client is nil. It returns when in or ctx ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, client *runner.NamedClient) error {
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	var first hello
	if err := decoder.Decode(&first); err != nil {
		return errors.New("standard input holds no order; it is for the gate, which starts it")
	}
	if first.Protocol != protocol {
		return encoder.Encode(response{Protocol: protocol, Error: fmt.Sprintf("it speaks protocol %d, not %d",
			protocol, first.Protocol)})
	}
	if first.EveryAllocation {
		defer func(before int) { runtime.MemProfileRate = before }(runtime.MemProfileRate)
		// Earlier allocations were only sampled. Profiles are differences, so they don't contain them.
		runtime.MemProfileRate = 1
	}
	var s server
	for _, w := range first.Work {
		b, err := w.open(ctx, client)
		if err != nil {
			return errors.Join(err, s.close(), encoder.Encode(response{Protocol: protocol, Error: err.Error()}))
		}
		s.scenarios = append(s.scenarios, b)
	}
	return errors.Join(s.serve(ctx, decoder, encoder), s.close())
}

// A server measures the scenarios of a hello, as requests ask for.
type server struct {
	scenarios []*blocks
	injection calibrated
}

// serve answers requests.
func (s *server) serve(ctx context.Context, decoder *json.Decoder, encoder *json.Encoder) error {
	if err := encoder.Encode(response{Protocol: protocol}); err != nil {
		return err
	}
	for {
		var r request
		switch err := decoder.Decode(&r); {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("standard input: %w", err)
		}
		a, err := s.do(ctx, r)
		if err != nil {
			a = response{Error: err.Error()}
		}
		a.Protocol = protocol
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
}

// do carries out a request.
func (s *server) do(ctx context.Context, r request) (response, error) {
	if r.Injection != nil {
		s.injection = r.Injection.calibrate()
		for _, b := range s.scenarios {
			b.Wrap(s.injection.wrap, s.injection.Requests)
		}
	}
	if !r.Measure && r.Profile == nil {
		return response{}, nil
	}
	if r.Scenario < 0 || r.Scenario >= len(s.scenarios) {
		return response{}, fmt.Errorf("it has no scenario %d, of %d", r.Scenario, len(s.scenarios))
	}
	b := s.scenarios[r.Scenario]
	if r.Measure {
		if s.injection.CPUProfile {
			if err := pprof.StartCPUProfile(io.Discard); err != nil {
				return response{}, err
			}
			defer pprof.StopCPUProfile()
		}
		return b.measure(ctx)
	}
	return response{}, b.profile(ctx, *r.Profile)
}

// close closes all scenarios.
func (s *server) close() (err error) {
	for _, b := range s.scenarios {
		err = errors.Join(err, b.Close())
	}
	return err
}

package versus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// protocol is what the two processes speak. A driver of another one is refused.
const protocol = 3

// order is the first line on a driver's standard input. It holds a token, and so goes there rather
// than among its arguments, which anybody on the machine can read.
type order struct {
	Protocol int    `json:"protocol"`
	Work     []work `json:"work"`

	EveryAllocation bool `json:"every_allocation,omitempty"` // is profiled
}

// work is one scenario, and the fleet for it.
type work struct {
	Spec    json.RawMessage `json:"spec"`
	Fleet   string          `json:"fleet"`
	Control string          `json:"control"`
	Token   string          `json:"token"`
	CA      string          `json:"ca,omitempty"`

	Machine string `json:"machine,omitempty"` // that profiles say they were taken on
}

// request is every later line.
type request struct {
	Plant    *scenarios.Plant `json:"plant,omitempty"`
	Measure  bool             `json:"measure,omitempty"` // a block
	Profile  *profileRequest  `json:"profile,omitempty"`
	Scenario int              `json:"scenario,omitempty"` // of the one at this place in the order's work
}

// profileRequest is for a profile of a scenario under way.
type profileRequest struct {
	Dir         string        `json:"dir"`
	Kind        profiles.Kind `json:"kind"`
	Number      int           `json:"number"`
	Nanoseconds time.Duration `json:"nanoseconds"`
}

// answer is what comes back, a line for a line. The first is for the order.
type answer struct {
	Protocol int              `json:"protocol"`
	Records  []results.Record `json:"records,omitempty"`
	Invalid  []string         `json:"invalid,omitempty"`

	Contradicted bool   `json:"contradicted,omitempty"` // by the fleet's ledger
	Error        string `json:"error,omitempty"`        // nothing was measured, for this
}

// Serve is what a driver does until in ends or ctx does.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	var o order
	if err := decoder.Decode(&o); err != nil {
		return &scenarios.UsageError{What: "drive: standard input holds no order; it is for the gate, which starts it"}
	}
	if o.Protocol != protocol {
		return encoder.Encode(answer{Protocol: protocol, Error: fmt.Sprintf("it speaks protocol %d, not %d", protocol, o.Protocol)})
	}
	if o.EveryAllocation {
		defer func(before int) { runtime.MemProfileRate = before }(runtime.MemProfileRate)
		// What the process allocated before was sampled; what is profiled later, is less all that.
		runtime.MemProfileRate = 1
	}
	var all blocks
	for _, w := range o.Work {
		b, err := w.open(ctx)
		if err != nil {
			return errors.Join(err, all.close(), encoder.Encode(answer{Protocol: protocol, Error: err.Error()}))
		}
		all = append(all, b)
	}
	return errors.Join(serve(ctx, all, decoder, encoder), all.close())
}

func (w work) open(ctx context.Context) (*scenarios.Blocks, error) {
	var spec scenarios.Spec
	strict := json.NewDecoder(bytes.NewReader(w.Spec)) // a field left out of account would be another scenario
	strict.DisallowUnknownFields()
	if err := strict.Decode(&spec); err != nil {
		return nil, fmt.Errorf("it doesn't know the scenario's fields: %w", err)
	}
	return scenarios.OpenBlocks(ctx, scenarios.Options{Spec: spec, Fleet: w.Fleet, FleetControl: w.Control, FleetToken: w.Token, FleetCA: w.CA, Machine: results.Machine{Identity: w.Machine}})
}

// blocks are those of every scenario.
type blocks []*scenarios.Blocks

func (all blocks) plant(p scenarios.Plant) {
	for _, b := range all {
		b.Plant(p)
	}
}

// measure takes a block of one of them.
func (all blocks) measure(ctx context.Context, scenario int) answer {
	a := answer{Protocol: protocol}
	if scenario < 0 || scenario >= len(all) {
		a.Error = fmt.Sprintf("it has no scenario %d, of %d", scenario, len(all))
		return a
	}
	block, err := all[scenario].Measure(ctx)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	a.Records, a.Invalid, a.Contradicted = block.Records, block.Invalid, block.Contradicted
	return a
}

// profile takes one of one of them.
func (all blocks) profile(ctx context.Context, scenario int, p *profileRequest) answer {
	a := answer{Protocol: protocol}
	if scenario < 0 || scenario >= len(all) {
		a.Error = fmt.Sprintf("it has no scenario %d, of %d", scenario, len(all))
		return a
	}
	cfg := profiles.Config{Kinds: []profiles.Kind{p.Kind}}
	if err := all[scenario].Profile(ctx, p.Dir, p.Number, p.Nanoseconds, cfg); err != nil {
		a.Error = err.Error()
	}
	return a
}

func (all blocks) close() (err error) {
	for _, b := range all {
		err = errors.Join(err, b.Close())
	}
	return err
}

func serve(ctx context.Context, all blocks, decoder *json.Decoder, encoder *json.Encoder) error {
	if err := encoder.Encode(answer{Protocol: protocol}); err != nil {
		return err
	}
	for {
		var r request
		switch err := decoder.Decode(&r); {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("drive: standard input: %w", err)
		}
		if r.Plant != nil {
			all.plant(*r.Plant)
		}
		a := answer{Protocol: protocol}
		switch {
		case r.Measure:
			a = all.measure(ctx, r.Scenario)
		case r.Profile != nil:
			a = all.profile(ctx, r.Scenario, r.Profile)
		}
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
}

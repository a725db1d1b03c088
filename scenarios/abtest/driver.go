package abtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// driverGrace is how long a driver may take to end once its input has.
const driverGrace = 10 * time.Second

// askLimit is how long a driver may take for one block, which should last some 40 ms, so that a
// client that never returns doesn't hold up the gate for longer. Blocks of a user's own scenario
// may last longer; see blockLimit. profileLimit is how long a driver may take for one profile.
const (
	askLimit     = 30 * time.Second
	profileLimit = 5 * time.Minute
)

// stackBytes is how much of what a driver prints on standard error is kept: the stacks of a
// thousand goroutines.
const stackBytes = 512 << 10

// A SideError says that the driver of one side, which had begun to measure, ended by itself or had
// to be ended.
type SideError struct {
	Side   string // checkout.Base or checkout.Now
	Text   string // what it did, such as "panic: …"
	Stacks string // of its goroutines, or whatever else it printed; may be empty
}

// Error names the side and says what it did, in a line.
func (e *SideError) Error() string { return fmt.Sprintf("the driver of %s %s", e.Side, e.Text) }

// A driver is a process that measures one side.
type driver struct {
	side   string        // checkout.Base or checkout.Now
	limit  time.Duration // for one answer
	child  *childproc.Child
	stderr childproc.Tail
}

// startDriver starts a program and gives it its order. It keeps what the program prints on standard
// error, for the case that it fails.
func startDriver(ctx context.Context, side, program string, o order, limit time.Duration) (_ *driver, err error) {
	d := &driver{side: side, limit: cmp.Or(limit, askLimit), stderr: childproc.Tail{Limit: stackBytes}}
	if d.child, err = childproc.StartChild([]string{program, "drive"}, &d.stderr, driverGrace); err != nil {
		return nil, &scenarios.UsageError{What: "the driver of " + side + " can't be started", Err: err}
	}
	a, err := d.ask(ctx, o)
	switch {
	case err == nil && a.Protocol != protocol:
		err = &scenarios.UsageError{What: fmt.Sprintf(
			"the driver of %s speaks protocol %d, not %d, for it is of another time than this fleetmark: "+
				"name a revision that today's harness compiles with, or run the gate of that time", side, a.Protocol, protocol)}
	case err != nil && ctx.Err() == nil:
		// It never began, so this says nothing about the code that it would have driven, and is no
		// SideError.
		err = &scenarios.UsageError{What: fmt.Sprintf("the driver of %s can't begin: %v", side, err)}
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// ask sends a line and waits for its answer. If the driver ends instead, or takes too long, the
// error is a [*SideError].
func (d *driver) ask(ctx context.Context, line any) (answer, error) {
	if err := d.child.Send(line); err != nil {
		return answer{}, err
	}
	timer := time.NewTimer(d.limit)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-d.child.Lines():
			var a answer
			switch {
			case !ok:
				return a, &SideError{Side: d.side, Text: "ended: " + d.lastWords(), Stacks: d.stderr.String()}
			case json.Unmarshal(line, &a) != nil: // not an answer: the driver is broken, and waited for
			case a.Error != "":
				return a, fmt.Errorf("the driver of %s: %s", d.side, a.Error)
			default:
				return a, nil
			}
		case <-timer.C:
			_ = d.child.Quit() // the error that follows says enough
			text := fmt.Sprintf("didn't answer for %v, where a block takes milliseconds, and was ended", d.limit)
			return answer{}, &SideError{Side: d.side, Text: text, Stacks: d.stderr.String()}
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// close ends the process and waits for it. A driver that had to be killed is no error: it has
// measured.
func (d *driver) close() error {
	if err := d.child.Close(); !errors.Is(err, childproc.ErrKilled) {
		return err
	}
	return nil
}

// lastWords returns a line that says why the process ended: its panic, or the last line that it
// printed.
func (d *driver) lastWords() string {
	text := d.stderr.String()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	switch last := text[strings.LastIndexByte(text, '\n')+1:]; {
	case last != "":
		return last
	case d.child.Err() != nil:
		return d.child.Err().Error()
	}
	return "without a word"
}

// protocol is the version of what the gate and its drivers speak. A driver with another one is
// refused.
const protocol = 3

// An order is the first line on a driver's standard input. It isn't among the driver's arguments
// because it holds a token, and anybody on the machine can read those.
type order struct {
	Protocol int    `json:"protocol"`
	Work     []work `json:"work"`

	EveryAllocation bool `json:"every_allocation,omitempty"` // in profiles, rather than a sample
}

// A work is one scenario and the fleet for it.
type work struct {
	Spec    json.RawMessage `json:"spec"`
	Fleet   string          `json:"fleet"`
	Control string          `json:"control"`
	Token   string          `json:"token"`
	CA      string          `json:"ca,omitempty"`

	Machine string `json:"machine,omitempty"` // goes into profiles
}

// A request is any later line. Its fields are obeyed in their order.
type request struct {
	Plant    *scenarios.Plant `json:"plant,omitempty"`
	Measure  bool             `json:"measure,omitempty"` // a block
	Profile  *profileRequest  `json:"profile,omitempty"`
	Scenario int              `json:"scenario,omitempty"` // an index of the order's work
}

// A profileRequest asks for a profile of a scenario under way.
type profileRequest struct {
	Dir         string        `json:"dir"`
	Kind        profiles.Kind `json:"kind"`
	Number      int           `json:"number"`
	Nanoseconds time.Duration `json:"nanoseconds"`
}

// An answer is a driver's line for the order, and for each request.
type answer struct {
	Protocol int              `json:"protocol"`
	Records  []results.Record `json:"records,omitempty"`
	Invalid  []string         `json:"invalid,omitempty"`

	Contradicted bool   `json:"contradicted,omitempty"` // the client was, by the fleet's ledger
	Error        string `json:"error,omitempty"`        // why nothing was measured
}

// Serve is a driver: it reads an order and requests from in, and answers each on out, until in or
// ctx ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	var o order
	if err := decoder.Decode(&o); err != nil {
		return &scenarios.UsageError{What: "drive: standard input holds no order; it is for the gate, which starts it"}
	}
	if o.Protocol != protocol {
		return encoder.Encode(answer{Protocol: protocol, Error: fmt.Sprintf("it speaks protocol %d, not %d",
			protocol, o.Protocol)})
	}
	if o.EveryAllocation {
		defer func(before int) { runtime.MemProfileRate = before }(runtime.MemProfileRate)
		// What the process allocated until now was sampled. Profiles are differences, without that.
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

// open prepares the scenario.
func (w work) open(ctx context.Context) (*scenarios.Blocks, error) {
	var spec scenarios.Spec
	strict := json.NewDecoder(bytes.NewReader(w.Spec)) // without a field it would be another scenario
	strict.DisallowUnknownFields()
	if err := strict.Decode(&spec); err != nil {
		return nil, fmt.Errorf("it doesn't know the scenario's fields: %w", err)
	}
	return scenarios.OpenBlocks(ctx, scenarios.Options{
		Spec: spec, Fleet: w.Fleet, FleetControl: w.Control, FleetToken: w.Token, FleetCA: w.CA,
		Machine: results.Machine{Identity: w.Machine},
	})
}

// blocks are the scenarios of an order.
type blocks []*scenarios.Blocks

// obey does what a request asks for.
func (all blocks) obey(ctx context.Context, r request) answer {
	a := answer{Protocol: protocol}
	if r.Plant != nil {
		for _, b := range all {
			b.Plant(*r.Plant)
		}
	}
	var err error
	switch {
	case !r.Measure && r.Profile == nil:
	case r.Scenario < 0 || r.Scenario >= len(all):
		err = fmt.Errorf("it has no scenario %d, of %d", r.Scenario, len(all))
	case r.Measure:
		var block scenarios.Block
		block, err = all[r.Scenario].Measure(ctx)
		a.Records, a.Invalid, a.Contradicted = block.Records, block.Invalid, block.Contradicted
	default:
		p, cfg := r.Profile, profiles.Config{Kinds: []profiles.Kind{r.Profile.Kind}}
		err = all[r.Scenario].Profile(ctx, p.Dir, p.Number, p.Nanoseconds, cfg)
	}
	if err != nil {
		return answer{Protocol: protocol, Error: err.Error()}
	}
	return a
}

// close ends all scenarios.
func (all blocks) close() (err error) {
	for _, b := range all {
		err = errors.Join(err, b.Close())
	}
	return err
}

// serve answers requests.
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
		if err := encoder.Encode(all.obey(ctx, r)); err != nil {
			return err
		}
	}
}

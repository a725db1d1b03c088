package abtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// driverGrace is how long a driver may take to exit after its input has ended.
const driverGrace = 10 * time.Second

// minBlockLimit is how long a driver may take for one block, which should last some 40 ms. It keeps
// a client that never returns from holding up the gate. Blocks of a user's own scenario may last
// longer; see blockLimit. profileLimit is how long a driver may take for one profile.
const (
	minBlockLimit = 30 * time.Second
	profileLimit  = 5 * time.Minute
)

// stackBytes is how much of a driver's standard error is kept, in bytes: enough for the stacks of a
// thousand goroutines.
const stackBytes = 512 << 10

// A SideError says that the driver of one side failed after it had begun to measure: it ended, or
// had to be ended.
type SideError struct {
	Side   string // checkout.Base or checkout.Now
	Text   string // what it did, such as "panic: …"
	Stacks string // the stacks of its goroutines, or whatever else it printed; may be empty
}

// Error names the side and says what it did, in a line.
func (e *SideError) Error() string { return fmt.Sprintf("the driver of %s %s", e.Side, e.Text) }

// A refusal says why a driver did not do what it was asked for.
type refusal struct{ side, text string }

// Error names the side and says why.
func (e *refusal) Error() string { return fmt.Sprintf("the driver of %s: %s", e.side, e.text) }

// A driver is a process that measures one side.
type driver struct {
	side   string        // checkout.Base or checkout.Now
	limit  time.Duration // for one response
	child  *childproc.Child
	stderr childproc.Tail
}

// startDriver starts the program of a side and sends it a hello. It keeps what the program prints on
// standard error, to report it if the program fails.
func startDriver(ctx context.Context, side string, s Side, first hello, limit time.Duration) (_ *driver, err error) {
	if first.Work, err = s.work(first.Work); err != nil {
		return nil, err
	}
	d := &driver{side: side, limit: cmp.Or(limit, minBlockLimit), stderr: childproc.Tail{Limit: stackBytes}}
	if d.child, err = childproc.StartChild(s.command(), &d.stderr, driverGrace); err != nil {
		return nil, fmt.Errorf("the driver of %s can't be started: %w", side, err)
	}
	r, err := d.call(ctx, first)
	switch {
	case err == nil && r.Protocol != protocol:
		err = fmt.Errorf("the driver of %s speaks protocol %d, not %d, since it was built from another version of fleetmark: "+
			"name a revision that today's harness compiles with, or run the gate of that version",
			side, r.Protocol, protocol)
	case err != nil && ctx.Err() == nil:
		// A driver that can't begin says nothing about the code that it would have measured. The
		// error isn't wrapped, so that callers don't treat it as a SideError.
		why := err.Error()
		if refused, ok := errors.AsType[*refusal](err); ok {
			why = refused.text
		}
		err = fmt.Errorf("the driver of %s can't begin: %s", side, why)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// call sends a line and waits for the response. If the driver ends instead, or takes too long, the
// error is a [*SideError].
func (d *driver) call(ctx context.Context, line any) (response, error) {
	if err := d.child.Send(line); err != nil {
		return response{}, err
	}
	timer := time.NewTimer(d.limit)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-d.child.Lines():
			var r response
			switch {
			case !ok:
				return r, &SideError{Side: d.side, Text: "ended: " + d.lastWords(), Stacks: d.stderr.String()}
			case json.Unmarshal(line, &r) != nil: // not a response: the driver is broken, so wait for its end
			case r.Error != "":
				return r, &refusal{d.side, r.Error}
			default:
				return r, nil
			}
		case <-timer.C:
			_ = d.child.Quit() // the error that follows says enough
			text := fmt.Sprintf("didn't answer for %v, where a block takes milliseconds, and was ended", d.limit)
			return response{}, &SideError{Side: d.side, Text: text, Stacks: d.stderr.String()}
		case <-ctx.Done():
			return response{}, ctx.Err()
		}
	}
}

// close ends the process and waits for it. It returns no error for a driver that had to be killed,
// since what it measured is complete.
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
	panicked, last := childproc.PanicLine(text), text[strings.LastIndexByte(text, '\n')+1:]
	switch {
	case panicked != "":
		return panicked
	case last != "":
		return last
	case d.child.Err() != nil:
		return d.child.Err().Error()
	}
	return "without a word"
}

// fleets are fleets in processes of their own, one for each of several scenarios.
type fleets struct {
	running []*target.Process
	work    []assignment // for drivers
}

// startFleets starts the fleets. command is the program and its arguments that lead to
// [target.Serve], and stderr is where the fleets write their errors.
func startFleets(ctx context.Context, command []string, specs []scenarios.Spec, stderr io.Writer) (*fleets, error) {
	f := &fleets{}
	for _, s := range specs {
		fleet, err := target.StartProcess(ctx, command, s, stderr)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.running = append(f.running, fleet)
		at := fleet.Ready
		f.work = append(f.work, assignment{
			spec: s, Fleet: at.Address, Control: at.Control, Token: at.Token, CA: at.CA,
		})
	}
	return f, nil
}

func (f *fleets) close() (err error) {
	for _, fleet := range slices.Backward(f.running) {
		err = errors.Join(err, fleet.Close())
	}
	return err
}

// drivers are the drivers of both sides.
type drivers struct{ base, now *driver }

// startDrivers starts both sides' programs and sends each a hello. If now has none, only the base
// gets a driver.
func startDrivers(ctx context.Context, base, now Side, first hello, limit time.Duration) (d drivers, err error) {
	if d.base, err = startDriver(ctx, checkout.Base, base, first, limit); err != nil || now.Program == "" {
		return d, err
	}
	if d.now, err = startDriver(ctx, checkout.Now, now, first, limit); err != nil {
		return d, errors.Join(err, d.base.close())
	}
	return d, nil
}

// all returns the drivers that were started, the base's first.
func (d drivers) all() []*driver {
	return slices.DeleteFunc([]*driver{d.base, d.now}, func(d *driver) bool { return d == nil })
}

func (d drivers) close() (err error) {
	for _, one := range slices.Backward(d.all()) {
		err = errors.Join(err, one.close())
	}
	return err
}

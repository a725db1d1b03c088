package versus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
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
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
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

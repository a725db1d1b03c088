package target

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Process is a fleet in a process of its own, as its driver sees it. The driver starts its own
// program again, sends it the scenario as the first line of its standard input, and reads where the
// fleet is from the first line of its standard output. The process exits when its standard input
// ends, and therefore when its driver has ended.
type Process struct {
	known
	Ready mockfleet.Ready // where the fleet is, and the token for its control port

	child   *childproc.Child
	stderr  *startupOutput
	control *mockfleet.Control

	responses chan []byte // responses to requests, one line each
	reading   sync.WaitGroup

	mu      sync.Mutex
	closing bool
	exited  chan struct{} // closed if the process ends before Close is called
}

const (
	stopTimeout  = 10 * time.Second // how long a fleet's process may take to exit
	startTimeout = time.Minute      // how long it may take to say where it is; a million devices take a second
)

// ErrExited is the error of a call to a fleet's process that has ended.
var ErrExited = errors.New("the fleet's process ended in the middle of the run")

// StartProcess starts the devices of a scenario, and waits until they are up. command is the
// program and its arguments that make it call [Serve]. If the fleet doesn't come up, the error
// quotes what the process printed on standard error; once it is up, that goes to stderr. Close ends
// the process.
func StartProcess(ctx context.Context, command []string, s scenarios.Spec, stderr io.Writer) (*Process, error) {
	return startProcess(ctx, Options{Command: command, Stderr: stderr}, s, startTimeout)
}

func startProcess(ctx context.Context, o Options, s scenarios.Spec, timeout time.Duration) (_ *Process, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &Process{stderr: &startupOutput{to: o.Stderr}, exited: make(chan struct{}), responses: make(chan []byte, 1)}
	// The child has no context, since Close ends it in order even after ctx was canceled.
	if p.child, err = childproc.StartChild(o.Command, p.stderr, cmp.Or(o.StopTimeout, stopTimeout)); err != nil {
		return nil, fmt.Errorf("the fleet's process can't be started: %w", err)
	}
	first := make(chan []byte, 1)
	p.reading.Go(func() { p.read(first) })
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := p.child.Send(s); err != nil {
		return nil, err
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	var line []byte
	select {
	case line = <-first:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, notUp("its process said nothing in %v", timeout)
	}
	var answer firstLine
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, p.startupError(ctx, line)
	}
	if answer.Error != "" {
		return nil, notUp("%s", answer.Error)
	}
	p.Ready = answer.Ready
	if p.known, err = knownOf(OwnProcess, s, p.Ready); err != nil {
		return nil, err
	}
	if p.control, err = mockfleet.NewControl(p.Ready.Control, p.Ready.Token); err != nil {
		return nil, err
	}
	p.stderr.pass()
	return p, nil
}

// read sends the first line of the process's output to first, or nil if there is none, and the
// later lines to responses, until the process has ended.
func (p *Process) read(first chan<- []byte) {
	first <- <-p.child.Lines()
	for line := range p.child.Lines() {
		select {
		case p.responses <- line:
		default: // a line without a request
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		close(p.exited)
	}
}

// startupError ends a process that didn't report the state of its fleet, and returns an error that
// quotes what it printed instead.
func (p *Process) startupError(ctx context.Context, line []byte) error {
	if err := p.end(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch words := p.stderr.words(); {
	case words != "":
		return notUp("%s", words)
	case len(line) > 0:
		return notUp(`its first line is %.80q: want one that says where it is, `+
			`as {"address":…,"control":…,"token":…}`, line)
	case p.child.Err() != nil:
		return notUp("%w", p.child.Err())
	}
	return notUp("its process ended without a word")
}

// notUp returns the error of a fleet that did not come up.
func notUp(format string, args ...any) error {
	return fmt.Errorf("the fleet did not come up: "+format, args...)
}

// CA returns the certificates of the fleet's authority, in PEM, as the fleet reported them.
func (p *Process) CA() string { return p.Ready.CA }

// Pid returns the id of the process.
func (p *Process) Pid() int { return p.child.Pid() }

// Witness returns the client of the fleet's control port.
func (p *Process) Witness() Witness { return p.control }

// Exited returns a channel that is closed if the process ends before Close is called.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Close ends the process and waits until it has ended.
func (p *Process) Close() error {
	if p.control == nil { // the fleet did not come up, which startProcess reports
		return p.end()
	}
	p.control.Close()
	if err := p.end(); err != nil {
		return err
	}
	if err := p.child.Err(); err != nil {
		return fmt.Errorf("the fleet's process: %w", err)
	}
	return nil
}

// end tells the process to exit, and waits until it has. If it takes longer than stopTimeout, end
// kills it and returns an error.
func (p *Process) end() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	err := p.child.Close()
	p.reading.Wait()
	if errors.Is(err, childproc.ErrKilled) {
		return fmt.Errorf("the fleet's process did not end within %v of being told to: it was killed", p.child.Grace)
	}
	return err
}

// A startupOutput keeps what a process prints, up to a limit, until it is known whether the fleet
// came up. After that it passes everything on.
type startupOutput struct {
	mu   sync.Mutex
	to   io.Writer // may be nil
	kept []byte
	up   bool
}

const maxStartupOutput = 4 << 10

func (o *startupOutput) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !o.up:
		o.kept = append(o.kept, text[:min(len(text), maxStartupOutput-len(o.kept))]...)
	case o.to != nil:
		_, _ = o.to.Write(text) // ignore errors: the process must not fail because its output can't be passed on
	}
	return len(text), nil
}

// pass passes on what was kept, and from now on everything.
func (o *startupOutput) pass() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.up = true
	if o.to != nil && len(o.kept) > 0 {
		_, _ = o.to.Write(o.kept) // ignore errors, as in Write
	}
	o.kept = nil
}

// words returns what was kept, on one line.
func (o *startupOutput) words() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(o.kept)) {
		if line = yamlnode.OneLine(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

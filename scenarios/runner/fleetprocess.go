package runner

import (
	"bufio"
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

// A fleet in a process of its own is a [childproc.Child]: the driver starts its own program again, sends it
// the scenario, and reads the fleet's address from the first line of its output.

// ServeFleet is the side of the fleet's process. It returns when in ends or ctx does.
func ServeFleet(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	order, err := lines.ReadBytes('\n')
	if err != nil {
		return scenarios.NewUsageError(err, "fleet --driven: standard input holds no scenario; it is for the driver, which starts it")
	}
	var s scenarios.Spec
	if err := json.Unmarshal(order, &s); err != nil {
		return scenarios.NewUsageError(err, "fleet --driven: standard input is not a scenario as JSON")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := mockfleet.Start(ctx, s.FleetConfig())
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(f.Ready()); err != nil {
		return errors.Join(err, f.Close())
	}
	ended := make(chan struct{})
	// This goroutine can outlive the function only where ctx ended first, and then
	// the process is about to end: a read of standard input can't be broken off.
	go func() {
		defer close(ended)
		obey(ctx, lines, out)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return f.Close()
}

// A process is the driver's side of a fleet's process.
type process struct {
	child   *childproc.Child
	said    *firstWords
	control *mockfleet.Control
	list    *DeviceList
	ca      string

	address, controlAddress, token string // as the fleet reported them

	answers chan []byte // to orders, a line each
	reading sync.WaitGroup

	mu      sync.Mutex
	closing bool
	early   chan struct{} // closed if the process ended before close was called
}

const (
	fleetGrace = 10 * time.Second // how long a fleet's process may take to end
	fleetStart = time.Minute      // how long it may take to report its address; a million devices take a second
)

// startProcess runs command, the program and the arguments that lead to ServeFleet, and waits until the fleet
// is up, for the given time at most. What the fleet prints on standard error goes to stderr once it is up;
// until then it is the reason why it isn't.
func startProcess(ctx context.Context, command []string, s scenarios.Spec, stderr io.Writer, within time.Duration) (_ *process, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &process{said: &firstWords{to: stderr}, early: make(chan struct{}), answers: make(chan []byte, 1)}
	// It has no context: the fleet is closed in order, by close, also after a cancel.
	if p.child, err = childproc.StartChild(command, p.said, fleetGrace); err != nil {
		return nil, scenarios.NewUsageError(err, "the fleet's process can't be started")
	}
	first := make(chan []byte, 1)
	p.reading.Go(func() { p.read(first) })
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := p.child.Send(s); err != nil {
		return nil, err
	}
	late := time.NewTimer(within)
	defer late.Stop()
	var line []byte
	select {
	case line = <-first:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, &scenarios.UsageError{What: fmt.Sprintf("the fleet did not come up: its process said nothing in %v", within)}
	}
	var ready mockfleet.Ready
	if err := json.Unmarshal(line, &ready); err != nil {
		return nil, p.stillborn(ctx, line)
	}
	if p.list, err = addressed(ready.Address, s.Addressing(), s.Fleet.Devices); err != nil {
		return nil, err
	}
	if p.control, err = mockfleet.NewControl(ready.Control, ready.Token); err != nil {
		return nil, err
	}
	p.ca, p.address, p.controlAddress, p.token = ready.CA, ready.Address, ready.Control, ready.Token
	p.said.pass()
	return p, nil
}

// read sends the first line of the process's output to first, or nil if it ends without one, and the later
// ones to answers, until the process has ended.
func (p *process) read(first chan<- []byte) {
	first <- <-p.child.Lines()
	for line := range p.child.Lines() {
		select {
		case p.answers <- line:
		default: // it answers no order
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		close(p.early)
	}
}

// stillborn ends the process and returns an error of one line that says why the fleet did not come up, in its
// own words if it had any.
func (p *process) stillborn(ctx context.Context, line []byte) error {
	if err := p.end(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	const what = "the fleet did not come up: "
	words := p.said.words()
	switch {
	case words != "":
		return &scenarios.UsageError{What: what + words}
	case len(line) > 0:
		return &scenarios.UsageError{What: fmt.Sprintf(what+"its first line is %.80q: want one that says where it is, as `fleetmark fleet` prints it", line)}
	case p.child.Err() != nil:
		return scenarios.NewUsageError(p.child.Err(), "the fleet did not come up")
	}
	return &scenarios.UsageError{What: what + "its process ended without a word"}
}

func (p *process) kind() string          { return FleetProcess }
func (p *process) pid() int              { return p.child.Pid() }
func (p *process) devices() *DeviceList  { return p.list }
func (p *process) authority() string     { return p.ca }
func (p *process) witness() witness      { return p.control }
func (p *process) died() <-chan struct{} { return p.early }

func (p *process) close() error {
	if p.control == nil { // it did not come up, and that has been said
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

// end tells the process to end and waits until it has. If it takes longer than its grace, it is killed, and
// the error says so.
func (p *process) end() error {
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

// firstWords keeps what a process prints, up to a bound, until it is known whether the fleet came up. From then
// on it passes everything on.
type firstWords struct {
	mu   sync.Mutex
	to   io.Writer // may be nil
	kept []byte
	up   bool
}

const maxFirstWords = 4 << 10

func (f *firstWords) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.up:
		f.kept = append(f.kept, text[:min(len(text), maxFirstWords-len(f.kept))]...)
	case f.to != nil:
		_, _ = f.to.Write(text) // the process is not to fail because nobody reads
	}
	return len(text), nil
}

// pass writes what was kept to the destination, and from now on everything.
func (f *firstWords) pass() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = true
	if f.to != nil && len(f.kept) > 0 {
		_, _ = f.to.Write(f.kept) // as above
	}
	f.kept = nil
}

// words returns what was kept, on one line and without the command's name before each message.
func (f *firstWords) words() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(f.kept)) {
		if line = yamlnode.OneLine(strings.TrimPrefix(line, "fleetmark: ")); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// FleetAlone is a fleet in a process of its own without a run: for measurements of the
// client that are no scenario, or for drivers that are processes themselves.
type FleetAlone struct {
	Address   string // of its devices, as Options.Fleet
	Control   string // as Options.FleetControl
	Token     string // as Options.FleetToken: a secret
	Authority string // as Options.FleetCA; empty where its devices speak no TLS

	fleet *process
}

// StartFleetAlone starts the devices of a scenario; command is the program and the
// arguments that lead to [ServeFleet], and what the fleet says goes to stderr. It ends
// with Close, and with this process.
func StartFleetAlone(ctx context.Context, command []string, s scenarios.Spec, stderr io.Writer) (*FleetAlone, error) {
	p, err := startProcess(ctx, command, s, stderr, fleetStart)
	if err != nil {
		return nil, err
	}
	return &FleetAlone{Address: p.address, Control: p.controlAddress, Token: p.token, Authority: p.ca, fleet: p}, nil
}

// Devices lists them.
func (f *FleetAlone) Devices() *DeviceList { return f.fleet.devices() }

// Close ends the devices' process, and waits for it.
func (f *FleetAlone) Close() error { return f.fleet.close() }

package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
)

// A fleet in a process of its own: the driver starts its own program again, hands
// it the scenario as one line on standard input, and reads where the fleet is from
// the first line of its output. The input stays open for as long as the driver
// lives: its end, however it came about, ends the fleet.

// ServeFleet is the other side: what that process does. It returns when in ends or
// ctx does.
func ServeFleet(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	order, err := lines.ReadBytes('\n')
	if err != nil {
		return usage(err, "fleet --driven: standard input holds no scenario; it is for the driver, which starts it")
	}
	var s Spec
	if err := json.Unmarshal(order, &s); err != nil {
		return usage(err, "fleet --driven: standard input is not a scenario as JSON")
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
		// Nothing more is expected; whatever comes, or an error, is an end.
		_, _ = io.Copy(io.Discard, lines)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return f.Close()
}

// process is the driver's side.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	control *mockfleet.Control
	list    []delivery.Device
	gone    chan struct{}
	wait    sync.WaitGroup
	waitErr error // of the process, once gone is closed

	mu      sync.Mutex
	closing bool
	early   chan struct{} // closed if it ended before close
}

// startProcess runs command, the program and arguments that lead to ServeFleet.
// What the fleet says on standard error goes to stderr.
func startProcess(ctx context.Context, command []string, s Spec, stderr io.Writer) (_ fleet, err error) {
	order, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	// Not CommandContext: the fleet is closed in order, by close, also after a cancel.
	p := &process{cmd: exec.Command(command[0], command[1:]...), gone: make(chan struct{}), early: make(chan struct{})}
	p.cmd.Stderr = stderr
	detach(p.cmd) // a Ctrl-C is for the driver, which then ends the fleet
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, usage(err, "the fleet's process can't be started")
	}
	lines := make(chan string, 1)
	p.wait.Go(func() {
		r := bufio.NewReaderSize(stdout, 64<<10)
		line, _ := r.ReadString('\n') // a process that ends without a line is told by its exit
		lines <- line
		_, _ = io.Copy(io.Discard, r) // until it ends; Wait must come after
		p.waitErr = p.cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.closing {
			close(p.early)
		}
		close(p.gone)
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if _, err := p.stdin.Write(append(order, '\n')); err != nil {
		return nil, p.ended(err)
	}
	var ready mockfleet.Ready
	select {
	case line := <-lines:
		if err := json.Unmarshal([]byte(line), &ready); err != nil {
			return nil, p.ended(fmt.Errorf("first line %q: %w", line, err))
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.list, err = addressed(ready.Address, s.addressing(), s.Fleet.Devices); err != nil {
		return nil, err
	}
	p.control, err = mockfleet.NewControl(ready.Control, ready.Token)
	return p, err
}

// ended explains a fleet that did not come up: it has said why on standard error.
func (p *process) ended(err error) error {
	return usage(err, "the fleet did not come up (its own words are above)")
}

func (p *process) kind() string               { return FleetProcess }
func (p *process) devices() []delivery.Device { return p.list }
func (p *process) witness() witness           { return controlled{p.control} }
func (p *process) died() <-chan struct{}      { return p.early }

func (p *process) close() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	if p.control != nil {
		p.control.Close()
	}
	err := p.stdin.Close() // its sign to end
	p.wait.Wait()
	if p.waitErr != nil {
		return fmt.Errorf("the fleet's process: %w", p.waitErr)
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

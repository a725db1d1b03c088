package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
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
		obey(ctx, lines, out)
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
	stdout  io.Closer
	said    *firstWords
	control *mockfleet.Control
	list    *DeviceList
	ca      string

	address, controlAddress, token string // as it said them

	answers chan string   // to orders, a line each
	grace   time.Duration // to end in, once told to
	wait    sync.WaitGroup
	gone    chan struct{} // closed when the process has ended
	waitErr error         // how it ended, once gone is closed

	mu      sync.Mutex
	closing bool
	early   chan struct{} // closed if it ended before close
}

const (
	fleetGrace = 10 * time.Second // how long a fleet's process may take to end
	fleetStart = time.Minute      // and to say where it is; a million devices take a second
)

// startProcess runs command, the program and arguments that lead to ServeFleet.
// What the fleet says on standard error goes to stderr once it is up; until then it
// is the reason why it isn't. It must be up within the given time.
func startProcess(ctx context.Context, command []string, s Spec, stderr io.Writer, within time.Duration) (_ *process, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	order, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	// Not CommandContext: the fleet is closed in order, by close, also after a cancel.
	p := &process{
		cmd: exec.Command(command[0], command[1:]...), said: &firstWords{to: stderr}, grace: fleetGrace,
		gone: make(chan struct{}), early: make(chan struct{}), answers: make(chan string, 1),
	}
	p.cmd.Stderr = p.said
	p.cmd.WaitDelay = p.grace // for whoever holds its standard error after it
	childproc.SetGroup(p.cmd) // a Ctrl-C is for the driver, which then ends the fleet
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = stdout
	if err := p.cmd.Start(); err != nil {
		return nil, usage(err, "the fleet's process can't be started")
	}
	lines := make(chan string, 1)
	p.wait.Go(func() { p.read(stdout, lines) })
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	// A process that ended already can't be written to; its exit says why.
	_, _ = p.stdin.Write(append(order, '\n'))
	late := time.NewTimer(within)
	defer late.Stop()
	var line string
	select {
	case line = <-lines:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, &UsageError{What: fmt.Sprintf("the fleet did not come up: its process said nothing in %v", within)}
	}
	var ready mockfleet.Ready
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		return nil, p.stillborn(ctx, line)
	}
	if p.list, err = addressed(ready.Address, s.addressing(), s.Fleet.Devices); err != nil {
		return nil, err
	}
	if p.control, err = mockfleet.NewControl(ready.Control, ready.Token); err != nil {
		return nil, err
	}
	p.ca, p.address, p.controlAddress, p.token = ready.CA, ready.Address, ready.Control, ready.Token
	p.said.pass()
	return p, nil
}

// read hands on the first line of the process's output, and sees it to its end.
func (p *process) read(stdout io.Reader, lines chan<- string) {
	r := bufio.NewReaderSize(stdout, 64<<10)
	line, _ := r.ReadString('\n') // a process that ends without a line is told by its exit
	lines <- line
	for { // until it ends; Wait must come after
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		select {
		case p.answers <- line:
		default: // to no order
		}
	}
	p.waitErr = p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		close(p.early)
	}
	close(p.gone)
}

// stillborn says in one line why a fleet did not come up: in its own words, if it had
// any. It ends the process.
func (p *process) stillborn(ctx context.Context, line string) error {
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
		return &UsageError{What: what + words}
	case line != "":
		return &UsageError{What: fmt.Sprintf(what+"its first line is %.80q: want one that says where it is, as `fleetmark fleet` prints it", line)}
	case p.waitErr != nil:
		return usage(p.waitErr, "the fleet did not come up")
	}
	return &UsageError{What: what + "its process ended without a word"}
}

func (p *process) kind() string          { return FleetProcess }
func (p *process) pid() int              { return p.cmd.Process.Pid }
func (p *process) devices() *DeviceList  { return p.list }
func (p *process) authority() string     { return p.ca }
func (p *process) witness() witness      { return controlled{p.control} }
func (p *process) died() <-chan struct{} { return p.early }

func (p *process) close() error {
	if p.control == nil { // it did not come up, and that has been said
		return p.end()
	}
	p.control.Close()
	if err := p.end(); err != nil {
		return err
	}
	if p.waitErr != nil {
		return fmt.Errorf("the fleet's process: %w", p.waitErr)
	}
	return nil
}

// end tells the process to end, and waits; after its grace it kills it, and says so.
func (p *process) end() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	closed := p.stdin.Close() // its sign to end
	if errors.Is(closed, os.ErrClosed) {
		closed = nil // as it ended before, or end came before
	}
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	var killed error
	select {
	case <-p.gone:
	case <-grace.C:
		killed = errors.Join(fmt.Errorf("the fleet's process did not end within %v of being told to: it was killed", p.grace), childproc.KillGroup(p.cmd))
		// Whoever else holds its output, a child of it, doesn't keep the reader.
		_ = p.stdout.Close()
	}
	p.wait.Wait()
	return errors.Join(closed, killed)
}

// firstWords keeps what a process says, up to a bound, until it is known whether it
// came up; from then on it is passed on.
type firstWords struct {
	mu   sync.Mutex
	to   io.Writer // nil: nobody listens
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

// pass hands on what was kept and what will come.
func (f *firstWords) pass() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = true
	if f.to != nil && len(f.kept) > 0 {
		_, _ = f.to.Write(f.kept) // as above
	}
	f.kept = nil
}

// words are what was kept, on one line and without the command's name before each.
func (f *firstWords) words() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(f.kept)) {
		if line = oneLine(strings.TrimPrefix(line, "fleetmark: ")); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

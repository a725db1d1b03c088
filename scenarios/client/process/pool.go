// Package process drives a delivery client that is a program in any language, in processes of its
// own.
//
// Its input is a [Config]: the command, how many processes of it run, and what they need to know of
// the scenario. [Start] starts the processes and returns a [Pool], which is a client like any other.
// Each operation is one line of JSON to a process and one line back; docs/reference/process-client.md
// describes them, with the schema that [Schema] returns.
//
// An operation takes a slot, of which each process has as many as the operations that it is asked
// for at the same time. The slots belong to a seat, the place of one process in the pool. A process
// that dies, answers nonsense or doesn't answer in time is killed, its operations fail, and another
// process takes its seat, within a bound. [Pool.Troubles] says how often that happened.
//
// The package doesn't know scenarios, fleets or what a good result is. What it says of a process
// never contains the value of a header field.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/client/internal/command"
)

// A Config says which program is the client, and what its processes are told.
type Config struct {
	// Config is what each process is told. Its TLS and its Dial aren't used.
	client.Config

	Command     []string // the program and its arguments
	Placeholder string   // stands in Command for an address for profiles, another for each process; may be empty
	Directory   string   // in which the processes run; empty: the current one
	Processes   int      // how many; 0: 1
	Concurrency int      // operations at the same time in each; 0: 1

	// Deadline is how long an operation may take; 0: a minute. A process that hasn't answered at the
	// end of Grace after that is killed; 0: a second.
	Deadline, Grace time.Duration

	StartTimeout time.Duration // until a process must have said hello; 0: 30 s
	CloseTimeout time.Duration // until a process must have ended after its input has; 0: 2 s
	MaxRestarts  int           // processes that may be replaced in a minute; 0: 30

	GoodReads int // how often in a row a device must confirm an update before a delivery counts; 0: once

	CAFile       string             // in PEM, the authorities to trust; empty: the system's
	Artifact     *delivery.Artifact // the artifact of all updates
	ArtifactFile string             // its content
}

// withDefaults returns the configuration with defaults for what is 0.
func (c Config) withDefaults() Config {
	c.Processes, c.Concurrency = cmp.Or(c.Processes, 1), cmp.Or(c.Concurrency, 1)
	c.Deadline, c.Grace = cmp.Or(c.Deadline, time.Minute), cmp.Or(c.Grace, time.Second)
	c.StartTimeout, c.CloseTimeout = cmp.Or(c.StartTimeout, 30*time.Second), cmp.Or(c.CloseTimeout, 2*time.Second)
	c.MaxRestarts = cmp.Or(c.MaxRestarts, 30)
	return c
}

// gaveUpPause is how long an operation takes to fail after no more processes are started, so that a
// load of some duration doesn't fail millions of operations.
const gaveUpPause = 10 * time.Millisecond

// A Pool is a client whose operations are done by processes. It implements [client.Client] and
// [client.Deliverer].
type Pool struct {
	cfg     Config
	program string // its name in messages
	secrets *strings.Replacer
	hello   Hello // of the first process

	seats []*seat
	free  chan *slot                 // slots that wait for an operation
	text  atomic.Pointer[updateText] // of the last update
	said  said                       // by the processes

	starts  chan func()    // calls of the thread that starts processes
	starter sync.WaitGroup // of that thread
	running sync.WaitGroup // of the seats
	closing chan struct{}
	gaveUp  chan struct{}
	closed  sync.Once

	mu        sync.Mutex
	restarts  []time.Time // in the last minute
	troubles  Troubles
	abandoned int           // operations that a process still does, and that nobody waits for
	settled   chan struct{} // closed once there are none; nil if there are none
}

// Start starts the processes of a program, and waits until each has said hello. If one of them
// doesn't, or ctx ends, it leaves no process behind, and the error says why in one line. Close ends
// the processes.
func Start(ctx context.Context, cfg Config) (*Pool, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Command) == 0 {
		return nil, errors.New("there is no command")
	}
	p := &Pool{
		cfg: cfg, program: command.Name(cfg.Command), secrets: command.Redactor(cfg.Header),
		free: make(chan *slot, cfg.Processes*cfg.Concurrency), starts: make(chan func()),
		closing: make(chan struct{}), gaveUp: make(chan struct{}),
	}
	p.starter.Go(func() {
		// Processes are killed when the thread that started them ends; see childproc.KillWithThread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for start := range p.starts {
			start()
		}
	})
	began := make(chan error, cfg.Processes)
	for i := range cfg.Processes {
		s := newSeat(p, i)
		p.seats = append(p.seats, s)
	}
	for _, s := range p.seats {
		p.running.Go(func() { s.run(began) })
	}
	for range p.seats {
		var err error
		select {
		case err = <-began:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	p.hello = p.seats[0].hello
	return p, nil
}

// Name returns a name for the program of a command: its base name, or that of the script that it
// runs. Characters other than letters, digits, dots, dashes and underscores become dashes.
func Name(words []string) string { return command.Word(command.Name(words)) }

// show returns text of a process for a message: without secrets, on one short line.
func (p *Pool) show(text string) string { return command.Show(text, p.secrets) }

// Hello returns what the first process said of itself.
func (p *Pool) Hello() Hello { return p.hello }

// Push implements [client.Client].
func (p *Pool) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	_, err := p.do(ctx, delivery.OpPush, d, u)
	return err
}

// Verify implements [client.Client].
func (p *Pool) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	_, err := p.do(ctx, delivery.OpVerify, d, u)
	return err
}

// Deliver implements [client.Deliverer]. If the program can't deliver by itself, it pushes, and
// verifies if the push succeeded, as often as Config.GoodReads says.
func (p *Pool) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	if p.hello.delivers() {
		a, err := p.do(ctx, delivery.OpDeliver, d, u)
		if errors.Is(err, errNotSent) {
			return delivery.Report{}, err
		}
		// A process that says nothing of its requests has sent one of each at most.
		return delivery.Report{
			Pushes: int(a.pushes.or(1)), Verifies: int(a.verifies.or(1)),
			Push: time.Duration(a.pushNS.or(0)), Verify: time.Duration(a.verifyNS.or(0)),
		}, err
	}
	began := time.Now()
	if _, err := p.do(ctx, delivery.OpPush, d, u); err != nil {
		if errors.Is(err, errNotSent) {
			return delivery.Report{}, err
		}
		return delivery.Report{Pushes: 1}, err
	}
	report := delivery.Report{Pushes: 1, Push: time.Since(began)}
	for range max(1, p.cfg.GoodReads) {
		began = time.Now()
		_, err := p.do(ctx, delivery.OpVerify, d, u)
		if !errors.Is(err, errNotSent) {
			report.Verifies++
		}
		if report.Verify = time.Since(began); err != nil {
			return report, err
		}
	}
	return report, nil
}

// errNotSent is in the error of an operation of which no process was told.
var errNotSent = errors.New("no process was free")

// do asks a process for an operation, and waits for its answer. If ctx ends first, do returns an
// error at once, and the process may still do the operation.
func (p *Pool) do(ctx context.Context, op delivery.Op, d delivery.Device, u *delivery.Update) (answer, error) {
	update, err := p.updateText(u)
	if err != nil {
		return answer{}, err
	}
	limit := p.cfg.Deadline
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end))
	}
	for {
		var s *slot
		select {
		case s = <-p.free:
		default:
			if s, err = p.awaitSlot(ctx); err != nil {
				return answer{}, err
			}
		}
		if s.begin(op, d, update, limit) {
			return s.await(ctx)
		}
	}
}

// awaitSlot waits for a free slot.
func (p *Pool) awaitSlot(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.free:
		return s, nil
	case <-ctx.Done():
		return nil, &Error{class: "canceled", message: "the load was over before a process was free", cause: errNotSent}
	case <-p.closing:
		return nil, &Error{class: "canceled", message: "the client is closed", cause: errNotSent}
	case <-p.gaveUp:
	}
	pause := time.NewTimer(gaveUpPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return nil, &Error{
		class: ClassDied, cause: errNotSent,
		message: fmt.Sprintf("%s isn't started any more: %d processes had to be replaced within a minute",
			p.program, p.cfg.MaxRestarts),
	}
}

// mayRestart reports whether another process may take the seat of one that ended. Once it reports
// false, it always does, and operations that find no process that is left fail.
func (p *Pool) mayRestart(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restarts = slices.DeleteFunc(p.restarts, func(t time.Time) bool { return now.Sub(t) > time.Minute })
	if p.troubles.GaveUp {
		return false
	}
	if len(p.restarts) >= p.cfg.MaxRestarts {
		p.troubles.GaveUp = true
		close(p.gaveUp)
		return false
	}
	p.restarts = append(p.restarts, now)
	p.troubles.Restarts++
	return true
}

// abandon adds n to the number of abandoned operations.
func (p *Pool) abandon(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled == nil {
		p.settled = make(chan struct{})
	}
	if p.abandoned += n; p.abandoned == 0 {
		close(p.settled)
		p.settled = nil
	}
}

// Settle waits until no process does an operation any more whose context has ended, so that the next
// operations don't wait for these. It returns early when ctx ends.
func (p *Pool) Settle(ctx context.Context) {
	p.mu.Lock()
	settled := p.settled
	p.mu.Unlock()
	if settled == nil {
		return
	}
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

// isClosing reports whether Close was called.
func (p *Pool) isClosing() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// Close ends the input of all processes, and waits until they have ended, with everything that they
// started. It kills those that take longer than Config.CloseTimeout.
func (p *Pool) Close() error {
	p.closed.Do(func() {
		close(p.closing)
		for _, s := range p.seats {
			s.endInput()
		}
		late := time.AfterFunc(p.cfg.CloseTimeout, func() {
			for _, s := range p.seats {
				s.kill()
			}
		})
		p.running.Wait()
		late.Stop()
		close(p.starts)
		p.starter.Wait()
	})
	return nil
}

package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/client/internal/command"
)

// A seat is the place of one process in a pool. When the process ends, another takes the seat.
type seat struct {
	pool   *Pool
	number int
	slots  []*slot
	hello  Hello         // of the first process
	wake   chan struct{} // tells the writer of requests to write; nil if operations do so themselves

	mu     sync.Mutex
	child  *child // nil if there is none
	up     bool   // the process has said hello, and isn't known to end
	parked []*slot
	asked  int64         // requests so far
	ended  time.Duration // processor time of its processes that have ended
	out    []byte        // requests that aren't written yet
	spare  []byte        // used for out in turns
}

// A slot is room for one operation at a time.
type slot struct {
	seat  *seat
	index int64
	done  chan struct{} // receives when the operation has ended
	timer *time.Timer   // runs while busy, until the process must have answered

	// The mutex of the seat protects the rest, while the slot is busy.
	busy      bool
	abandoned bool  // nobody waits for the end
	id        int64 // of the request
	expires   time.Time
	answer    answer
	err       error
}

// A child is a process of the program.
type child struct {
	cmd    *exec.Cmd
	pprof  string // the address for its profiles; empty if it wasn't told one
	stdin  io.WriteCloser
	stdout io.ReadCloser
	in     *bufio.Reader
	stderr childproc.Tail

	// The mutex of the seat protects the rest: why the process was killed, as a class and a message,
	// and the processor time that was last read.
	class, cause string
	used         time.Duration
}

func newSeat(p *Pool, number int) *seat {
	s := &seat{pool: p, number: number}
	for i := range p.cfg.Concurrency {
		l := &slot{seat: s, index: int64(i), done: make(chan struct{}, 1)}
		l.timer = time.AfterFunc(time.Hour, l.expire)
		l.timer.Stop()
		s.slots = append(s.slots, l)
	}
	s.parked = append(s.parked, s.slots...)
	if p.cfg.Concurrency > 1 {
		s.wake = make(chan struct{}, 1)
	}
	return s
}

// run keeps a process on the seat until the pool is closed. It sends to began whether the first
// process came up, and returns if it didn't.
func (s *seat) run(began chan<- error) {
	var writing sync.WaitGroup
	defer writing.Wait()
	if s.wake != nil {
		defer close(s.wake)
		writing.Go(func() {
			for range s.wake {
				s.mu.Lock()
				s.write()
				s.mu.Unlock()
			}
		})
	}
	for first := true; ; first = false {
		h, err := s.start()
		if first {
			s.hello = h
			began <- err
		}
		if err == nil {
			s.serve()
		} else if first || s.pool.isClosing() {
			return
		} else {
			s.pool.trouble(ClassDied, 0, err.Error())
		}
		if s.pool.isClosing() || !s.pool.mayRestart(time.Now()) {
			return
		}
	}
}

// start starts a process and waits for its hello. If it returns an error, it has ended the process.
func (s *seat) start() (h Hello, err error) {
	cfg := s.pool.cfg
	hello, err := cfg.helloLine(s.number)
	if err != nil {
		return h, err
	}
	if err := command.CheckDirectory(s.pool.program, cfg.Directory); err != nil {
		return h, err
	}
	words, address, err := cfg.commandFor()
	if err != nil {
		return h, fmt.Errorf("%s can't be told an address for its profiles: %w", s.pool.program, err)
	}
	c := &child{
		cmd: exec.Command(words[0], words[1:]...), pprof: address, stderr: childproc.Tail{Limit: maxStderr},
	}
	c.cmd.Dir, c.cmd.Stderr, c.cmd.WaitDelay = cfg.Directory, &c.stderr, time.Second
	childproc.SetGroup(c.cmd)
	childproc.KillWithThread(c.cmd)
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return h, err
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return h, errors.Join(err, c.stdin.Close())
	}
	started := make(chan error)
	s.pool.starts <- func() { started <- c.cmd.Start() }
	if err := <-started; err != nil {
		return h, command.StartError(s.pool.show(cfg.Command[0]), err)
	}
	c.in = bufio.NewReaderSize(c.stdout, maxLine)
	s.mu.Lock()
	s.child = c
	s.mu.Unlock()
	if s.pool.isClosing() { // Close may not have seen the process
		c.kill()
	}
	late := time.AfterFunc(cfg.StartTimeout, func() {
		s.mu.Lock()
		c.setCause("", fmt.Sprintf("said no hello within %v: %s", cfg.StartTimeout, helloSyntax))
		s.mu.Unlock()
		c.kill()
	})
	_, _ = c.stdin.Write(hello) // a process that doesn't read it may still say hello
	line, err := c.in.ReadSlice('\n')
	late.Stop()
	if err == nil {
		if h, err = parseHello(line); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			h.Version = s.pool.secrets.Replace(h.Version)
			s.up = !s.pool.isClosing()
			for _, l := range s.parked {
				s.pool.free <- l // it has room for all slots
			}
			s.parked = s.parked[:0]
			return h, nil
		}
		err = fmt.Errorf("wrote a first line that %w; it is %q", err, s.pool.show(string(line)))
		c.kill()
	}
	end := s.pool.wait(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
	switch {
	case c.cause != "":
		err = errors.New(c.cause)
	case errors.Is(err, bufio.ErrBufferFull):
		err = fmt.Errorf("wrote over %d bytes without the end of a line: %s", maxLine, helloSyntax)
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
		err = fmt.Errorf("ended before it said hello (%s)", end)
	}
	return h, fmt.Errorf("%s %w%s", s.pool.program, err, s.pool.lastWords(c))
}

// maxStderr is how many bytes of a process's standard error are kept.
const maxStderr = 16 << 10

// lastWords returns the last line that a process wrote on standard error, as a clause, or "" if it
// wrote none.
func (p *Pool) lastWords(c *child) string {
	last := command.LastLine(c.stderr.String(), maxStderr, p.secrets)
	if last == "" {
		return ""
	}
	return "; its last line on standard error: " + last
}

// serve passes the answers of the process on until it ends, and then fails the operations that it
// was asked for.
func (s *seat) serve() {
	c := s.child
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				s.fail(c, ClassNonsense, fmt.Sprintf("wrote a line of over %d bytes", maxLine))
			}
			break
		}
		a, err := parseAnswer(line)
		if err == nil {
			err = s.end(a)
		}
		if err != nil {
			s.fail(c, ClassNonsense, fmt.Sprintf("wrote a line that %v; it is %q", err, s.pool.show(string(line))))
			break
		}
	}
	s.mu.Lock()
	s.up = false
	s.mu.Unlock()
	ended := s.pool.wait(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	class, cause := c.class, c.cause
	if class == "" {
		class, cause = ClassDied, "ended ("+ended+")"
	}
	message := s.pool.program + " " + cause + s.pool.lastWords(c)
	s.leave()
	s.out = s.out[:0]
	if class == ClassHung { // the operation that hung has ended already
		class = ClassDied
	}
	failed := int64(0)
	for _, l := range s.slots {
		if l.busy {
			failed++
		}
	}
	if !s.pool.isClosing() {
		s.pool.trouble(class, failed, message)
	}
	for _, l := range s.slots {
		if l.busy {
			l.answer, l.err = answer{}, &Error{class: class, message: message, unanswered: true}
			l.finish()
		}
	}
}

// fail kills a process, for a reason.
func (s *seat) fail(c *child, class, cause string) {
	s.mu.Lock()
	s.up = false
	c.setCause(class, cause)
	s.mu.Unlock()
	c.kill()
}

// setCause keeps the first reason for which a process is killed.
func (c *child) setCause(class, cause string) {
	if c.cause == "" {
		c.class, c.cause = class, cause
	}
}

// end ends the operation that an answer is for.
func (s *seat) end(a answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l *slot
	if a.id > 0 {
		l = s.slots[a.id%int64(len(s.slots))]
	}
	if l == nil || !l.busy || l.id != a.id {
		return fmt.Errorf("answers operation %d, which isn't under way", a.id)
	}
	if e := a.failed; e != nil {
		e.message = plaintext.Clip(plaintext.Line(s.pool.secrets.Replace(e.message)), maxMessage)
		if e.class != s.pool.secrets.Replace(e.class) {
			e.class = delivery.ClassUnknown.String()
		}
		l.err = e
	}
	l.answer = a
	l.finish()
	return nil
}

// finish ends the operation of a busy slot, whose answer and error are set. The caller holds the
// seat's mutex.
func (l *slot) finish() {
	l.timer.Stop()
	l.busy = false
	if l.abandoned {
		l.seat.pool.abandon(-1)
		l.seat.pool.free <- l
		return
	}
	l.done <- struct{}{}
}

// begin asks the process for an operation. It reports false, and keeps the slot, if there is no
// process on the seat now.
func (l *slot) begin(op delivery.Op, d delivery.Device, update []byte, limit time.Duration) bool {
	s := l.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up {
		s.parked = append(s.parked, l)
		return false
	}
	s.asked++
	l.id = s.asked*int64(len(s.slots)) + l.index
	l.busy, l.abandoned, l.answer, l.err = true, false, answer{}, nil
	wait := max(limit, 0) + s.pool.cfg.Grace
	l.expires = time.Now().Add(wait)
	l.timer.Reset(wait)
	s.out = appendRequest(s.out, l.id, op, d, update, limit)
	if s.wake == nil {
		s.write()
		return true
	}
	select {
	case s.wake <- struct{}{}:
	default: // the writer is awake, or about to be
	}
	return true
}

// write writes the requests that aren't written yet, in one piece. The caller holds the mutex, which
// write releases meanwhile. Only one goroutine may call it at a time.
func (s *seat) write() {
	for s.child != nil && len(s.out) > 0 {
		c, text := s.child, s.out
		s.out = s.spare[:0]
		s.mu.Unlock()
		_, _ = c.stdin.Write(text) // if it fails, the process has ended, and serve notices that
		s.mu.Lock()
		s.spare = text
	}
}

// await waits for the end of the slot's operation.
func (l *slot) await(ctx context.Context) (answer, error) {
	select {
	case <-l.done:
	case <-ctx.Done():
		l.seat.mu.Lock()
		if l.busy {
			l.abandoned = true
			l.seat.pool.abandon(1)
			l.seat.mu.Unlock()
			return answer{}, abandonedError{context.Cause(ctx)}
		}
		l.seat.mu.Unlock()
		<-l.done
	}
	a, err := l.answer, l.err
	l.seat.pool.said.add(&a)
	l.seat.pool.free <- l
	return a, err
}

// expire ends an operation whose process hasn't answered in time, and kills the process.
func (l *slot) expire() {
	s := l.seat
	s.mu.Lock()
	if !l.busy || time.Now().Before(l.expires) { // it ended just now
		s.mu.Unlock()
		return
	}
	c := s.child
	s.up = false
	c.setCause(ClassHung, fmt.Sprintf("did not answer within %v", s.pool.cfg.Deadline))
	message := s.pool.program + " did not answer in time, and was killed" + s.pool.lastWords(c)
	s.pool.trouble(ClassHung, 1, message)
	l.err = &Error{class: ClassHung, message: message, unanswered: true}
	l.finish()
	s.mu.Unlock()
	c.kill()
}

// endInput ends the input of the process, if there is one.
func (s *seat) endInput() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = false
	if s.child != nil {
		_ = s.child.stdin.Close() // the process may have ended
	}
}

// kill kills the process, if there is one.
func (s *seat) kill() {
	s.mu.Lock()
	c := s.child
	s.mu.Unlock()
	if c != nil {
		c.kill()
	}
}

// kill kills a process with everything that it started, and stops reading and writing.
func (c *child) kill() {
	_ = childproc.KillGroup(c.cmd) // it may have ended
	_ = c.stdin.Close()
	_ = c.stdout.Close() // a process that left the group may hold it open
}

// wait waits for the end of a process whose output has ended, ends what the process has started, and
// returns how it ended.
func (p *Pool) wait(c *child) string {
	_ = c.stdin.Close()
	late := time.AfterFunc(p.cfg.CloseTimeout, c.kill)
	err := c.cmd.Wait()
	late.Stop()
	_ = childproc.KillGroup(c.cmd) // the rest of its group, if there is one
	if state := c.cmd.ProcessState; state != nil {
		return state.String()
	}
	return fmt.Sprint(err)
}

// leave makes the seat empty after its process was waited for. The caller holds the mutex.
func (s *seat) leave() {
	if state := s.child.cmd.ProcessState; state != nil {
		s.ended += state.UserTime() + state.SystemTime()
	}
	s.child = nil
}

// usage adds what the seat's processes have used to u. It reports false if that isn't known.
func (s *seat) usage(u *Usage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.CPU += s.ended
	if s.child == nil {
		return true
	}
	pid := s.child.cmd.Process.Pid
	u.Processes = append(u.Processes, pid)
	cpu, ok := osinfo.ProcessorTimeOf(pid)
	// Of a process that has ended, and that is being waited for, nothing can be read.
	s.child.used = max(s.child.used, cpu)
	u.CPU += s.child.used
	u.PeakResident += osinfo.PeakResidentOf(pid)
	return ok || runtime.GOOS == "linux"
}

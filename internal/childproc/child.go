package childproc

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"
)

// A Child is a process that takes orders on its standard input and answers on its standard output, each a
// line of JSON. The end of its standard input is its sign to end, so it ends with its parent, even if that is
// killed. It runs in a process group of its own.
type Child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.Closer

	// Grace is how long the child may take to end once its input has ended. It may be changed before Close.
	Grace time.Duration

	lines chan []byte
	ended chan struct{} // closed once the process has ended
	err   error         // how it ended; set before ended is closed
}

// ErrKilled is the error of [Child.Close] if the child had to be killed.
var ErrKilled = errors.New("the process did not end in time and was killed")

// StartChild starts a program. command is its name and arguments, stderr receives what it prints on standard
// error, and grace is its Grace. The caller must read Lines, and
// call Close at the end.
func StartChild(command []string, stderr io.Writer, grace time.Duration) (*Child, error) {
	c := &Child{
		cmd: exec.Command(command[0], command[1:]...), Grace: grace, lines: make(chan []byte), ended: make(chan struct{}),
	}
	c.cmd.Stderr = stderr
	c.cmd.WaitDelay = grace // for a grandchild that holds its standard error
	SetGroup(c.cmd)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = stdout
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.read(stdout)
	return c, nil
}

// read passes on the lines of the child's output, and then waits for its end.
func (c *Child) read(stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			c.lines <- line
		}
		if err != nil {
			break
		}
	}
	c.err = c.cmd.Wait() // only after its output was read
	close(c.ended)
	close(c.lines)
}

// Send writes a value as a line of JSON. It returns an error only if the value can't be encoded. A child that
// has ended can't be written to; then Lines is closed.
func (c *Child) Send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, _ = c.stdin.Write(append(line, '\n'))
	return nil
}

// Lines returns the lines of the child's output. The channel is closed once the child has ended.
func (c *Child) Lines() <-chan []byte { return c.lines }

// Ended returns a channel that is closed once the child has ended.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Err returns how the child ended, such as an *exec.ExitError. It is nil if the child exited with status 0, and
// must not be called before the child has ended.
func (c *Child) Err() error { return c.err }

// Pid returns the child's process id.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Close ends the child and waits until it has ended, discarding its output. A child that takes longer than its
// grace is killed with its group, and the error is ErrKilled. It may be called more than once.
func (c *Child) Close() error {
	err := c.stdin.Close()
	if errors.Is(err, os.ErrClosed) { // the child ended, or Close was called before
		err = nil
	}
	return errors.Join(err, c.await())
}

// Quit makes a Go child print the stacks of its goroutines and end, and waits as Close does.
func (c *Child) Quit() error {
	_ = QuitGroup(c.cmd) // it may have just ended
	return c.await()
}

func (c *Child) await() (err error) {
	grace := time.NewTimer(c.Grace)
	defer grace.Stop()
	for {
		select {
		case <-c.ended:
			return err
		case <-c.lines:
		case <-grace.C:
			err = errors.Join(ErrKilled, KillGroup(c.cmd))
			_ = c.stdout.Close() // a grandchild that holds it doesn't keep the reader
		}
	}
}

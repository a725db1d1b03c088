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

// A Child is a process that takes orders on its standard input and answers on its standard output,
// each a line of JSON. It exits when its standard input ends, and therefore when its parent is
// killed. It runs in a process group of its own.
type Child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.Closer

	// Grace is how long the child may take to exit after its input has ended. It may be changed
	// before Close.
	Grace time.Duration

	lines chan []byte
	ended chan struct{} // closed once the process has ended
	err   error         // how it ended; set before ended is closed
}

// ErrKilled is the error of [Child.Close] if the child had to be killed.
var ErrKilled = errors.New("the process did not end in time and was killed")

// StartChild starts a program. command is its name and arguments, stderr receives its standard
// error, and grace is its Grace. The caller must read Lines, and call Close at the end.
func StartChild(command []string, stderr io.Writer, grace time.Duration) (*Child, error) {
	c := &Child{
		cmd: exec.Command(command[0], command[1:]...), Grace: grace,
		lines: make(chan []byte), ended: make(chan struct{}),
	}
	c.cmd.Stderr = stderr
	c.cmd.WaitDelay = grace // a grandchild may hold its standard error open
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

// read sends the lines of the child's output to c.lines, and then waits for the child's end.
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
	c.err = c.cmd.Wait() // Wait closes the pipe, so it comes after the reading
	close(c.ended)
	close(c.lines)
}

// Send writes a value as a line of JSON. It returns an error only if the value can't be encoded. It
// doesn't report that the child has ended, which closes Lines.
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

// Err returns how the child ended, such as an *exec.ExitError, or nil if the child exited with
// status 0. It must not be called before the child has ended.
func (c *Child) Err() error { return c.err }

// Pid returns the child's process id.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Close ends the child's input and waits until the child has ended, discarding its output. If the
// child takes longer than Grace, Close kills its group and returns ErrKilled. It may be called more
// than once.
func (c *Child) Close() error {
	err := c.stdin.Close()
	if errors.Is(err, os.ErrClosed) { // the child ended, or Close was called before
		err = nil
	}
	return errors.Join(err, c.await())
}

// Quit makes a child that is a Go program print the stacks of its goroutines and exit, and waits as
// Close does.
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
			_ = c.stdout.Close() // a grandchild may hold it open, and the reader would wait
		}
	}
}

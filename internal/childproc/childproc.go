// Package childproc runs other programs, and ends them with everything that they started.
//
// A terminal sends Ctrl-C to every process of its foreground group. A program that this package
// starts is in a process group of its own: it doesn't receive the signal, and its caller ends it.
// An interruption is therefore never mistaken for a failure of the program.
//
// [Output] and [Run] run a program to its end; canceling their context kills it. A [Child] is a
// program that keeps running, takes orders and answers them.
package childproc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// waitDelay is how long Wait waits for the output of a killed program. A grandchild that left the
// group may hold the pipes open.
const waitDelay = 5 * time.Second

// Command returns a command that runs in a process group of its own. The group is killed when ctx
// is done.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	SetGroup(cmd)
	cmd.Cancel = func() error { return KillGroup(cmd) }
	cmd.WaitDelay = waitDelay
	return cmd
}

// Output runs a program in the directory dir, and returns its standard output without leading and
// trailing white space. If dir is empty, the program runs in the current directory. If the program
// fails, the error is an [*Error]; if ctx is done, it is the context's error.
func Output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := Command(ctx, program, args...)
	cmd.Dir = dir
	out, err := Run(ctx, cmd)
	return strings.TrimSpace(out), err
}

// Run runs a command that [Command] made, whose Stdout and Stderr aren't set, and returns its
// standard output as it is. It returns the same errors as [Output].
func Run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var stdout bytes.Buffer
	var stderr Tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &Error{Program: cmd.Args[0], Args: cmd.Args[1:], Stderr: stderr.String(), Err: err}
	}
	return stdout.String(), nil
}

// An Error reports that a program could not be started, or failed.
type Error struct {
	Program string
	Args    []string
	Stderr  string // the end of its standard error, without leading and trailing white space
	Err     error  // such as an *exec.ExitError, or an error that wraps exec.ErrNotFound
}

// Error returns one line: the program with its first argument, and the first line of its standard
// error, or the cause if it printed none.
func (e *Error) Error() string {
	name := e.Program
	if len(e.Args) > 0 {
		name += " " + e.Args[0]
	}
	first, _, more := strings.Cut(e.Stderr, "\n")
	switch {
	case errors.Is(e.Err, exec.ErrNotFound):
		return fmt.Sprintf("%s is not installed, or not in PATH", e.Program)
	case first == "":
		return fmt.Sprintf("%s: %v", name, e.Err)
	case more:
		return fmt.Sprintf("%s: %s …", name, first)
	}
	return fmt.Sprintf("%s: %s", name, first)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PanicLine returns the first line of a Go program's output that reports a panic or a fatal error,
// such as "panic: …", or "" if there is none.
func PanicLine(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return ""
}

// defaultTail is the default limit of a Tail, in bytes.
const defaultTail = 16 << 10

// A Tail is a writer that keeps the end of what is written to it. Its methods may be called
// concurrently. The zero value is empty and ready to use.
type Tail struct {
	Limit int // in bytes; 0 means 16 KiB. It must not change after the first Write.

	mu   sync.Mutex
	kept []byte // up to twice the limit, so that few Writes move bytes
}

func (t *Tail) limit() int { return cmp.Or(t.Limit, defaultTail) }

// Write appends text. It always returns len(text) and a nil error.
func (t *Tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(text)
	t.kept = append(t.kept, text[max(0, n-t.limit()):]...)
	if len(t.kept) > 2*t.limit() {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.limit():]...)
	}
	return n, nil
}

// String returns what was kept as valid UTF-8, without leading and trailing white space.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.kept[max(0, len(t.kept)-t.limit()):]
	return strings.ToValidUTF8(strings.TrimSpace(string(end)), "\uFFFD")
}

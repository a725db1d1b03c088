package gobench

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
)

// A binary is the test binary of a package, built from one side.
type binary struct {
	tree  *checkout.Tree
	pkg   checkout.Package
	path  string
	trim  bool          // build without paths, so that the same source gives the same binary in any directory
	limit time.Duration // how long one benchmark may take in one process
}

// build builds the binary. flags are further ones of go test.
func (b *binary) build(ctx context.Context, flags ...string) error {
	args := append([]string{"test", "-c", fmt.Sprintf("-trimpath=%t", b.trim), "-o", b.path}, flags...)
	_, err := b.tree.Go(ctx, append(args, b.pkg.ImportPath)...)
	return b.tree.BuildError(err, "the tests of "+b.pkg.ImportPath+" don't compile", "the compiler says why")
}

// Limits of the output that is kept of a process, in bytes. The result of a block is at its end.
const (
	maxStdout = 8 << 20
	maxStderr = 256 << 10
)

// dumpDelay is how long a process may take to print the stacks of its goroutines.
const dumpDelay = 5 * time.Second

// A finished is a process of a test binary that has ended.
type finished struct {
	stdout   string
	stderr   string // with the stacks of its goroutines if it panicked or timed out
	err      error  // nil, or an *exec.ExitError
	timedOut bool
	limit    time.Duration // the binary's limit
	cpu      time.Duration // user and system time
	wall     time.Duration
}

// run runs the binary in the directory of its package, as the go command does. If one benchmark
// takes longer than the limit, run makes the process print the stacks of its goroutines and exit.
// The error is the context's, or says why the process could not be started.
func (b *binary) run(ctx context.Context, args ...string) (*finished, error) {
	cmd := exec.Command(b.path, append([]string{"-test.run=^$", "-test.paniconexit0", "-test.v=test2json"}, args...)...)
	cmd.Dir = b.pkg.Dir
	cmd.WaitDelay = dumpDelay
	childproc.SetGroup(cmd)
	next := make(chan struct{}, 1)
	stdout, stderr := childproc.Tail{Limit: maxStdout}, childproc.Tail{Limit: maxStderr}
	cmd.Stdout, cmd.Stderr = &pulse{&stdout, next}, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: the test binary of %s can't be started: %w", b.tree, b.pkg.ImportPath, err)
	}
	done, watched, timedOut := make(chan struct{}), make(chan struct{}), false
	go func() {
		defer close(watched)
		timedOut = watch(ctx, cmd, b.limit, next, done)
	}()
	err := cmd.Wait()
	wall := time.Since(began)
	close(done)
	<-watched
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &finished{
		stdout: stdout.String(), stderr: stderr.String(), err: err, timedOut: timedOut, limit: b.limit, wall: wall,
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
	}, nil
}

// watch ends a process when ctx is done, or when limit passes without a value from next. It returns
// when done is closed, and reports whether the limit passed.
func watch(ctx context.Context, cmd *exec.Cmd, limit time.Duration, next, done <-chan struct{}) (timedOut bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return timedOut
		case <-next:
			if !timedOut {
				timer.Reset(limit)
			}
		case <-timer.C:
			// First ask the process for its stacks; if it still runs at the next timeout, kill it.
			end := childproc.QuitGroup
			if timedOut {
				end = childproc.KillGroup
			}
			timedOut = true
			_ = end(cmd) // the process may have just ended
			timer.Reset(dumpDelay)
		case <-ctx.Done():
			_ = childproc.KillGroup(cmd)
			<-done
			return timedOut
		}
	}
}

// A pulse is a writer that signals on a channel when a benchmark begins or ends. The testing
// package marks both in its output.
type pulse struct {
	to   *childproc.Tail
	next chan<- struct{}
}

func (p *pulse) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte(marker)) {
		select {
		case p.next <- struct{}{}:
		default: // a signal is pending
		}
	}
	return p.to.Write(text)
}

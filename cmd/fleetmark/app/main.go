// Package app holds the commands of fleetmark, one file each: flags in, one call into the package
// that does the work, what it returned printed, its error turned into an exit code. What is of use
// without a command line belongs to another package.
//
// A program of another module may run the commands too, by calling [Main]. A call leaves no state
// behind: what it changes of the process, such as how signals are handled, is as before when it
// returns.
package app

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// Options says how Main's commands differ from those of cmd/fleetmark. The zero value changes
// nothing.
type Options struct {
	In       io.Reader // nil: standard input
	Out, Err io.Writer // nil: standard output, and standard error
}

// Main runs the command line args, whose first element is the name of the program, and returns the
// exit code. While it runs it takes over the signals SIGINT, SIGTERM and SIGPIPE. Call it first in
// main, since the commands start the program again as a child, with the arguments "fleet", "drive"
// or "anatomy".
func Main(args []string, o Options) int {
	c := cli.Console{In: os.Stdin, Out: cli.UntilClosed{File: os.Stdout}, Err: os.Stderr}
	if len(args) > 0 {
		c.Args = args[1:]
	}
	if o.In != nil {
		c.In = o.In
	}
	if o.Out != nil {
		c.Out = o.Out
	}
	if o.Err != nil {
		c.Err = o.Err
	}
	defer profileEveryAllocation(c.Args)()
	// A reader that goes away, as in `fleetmark run 2>&1 | head -1`, must not end a run half-way:
	// its writes fail with EPIPE instead. Nobody needs to receive the signal for that.
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	defer signal.Stop(unread)
	ctx, stop := interruptible()
	defer stop()
	return execute(ctx, c)
}

// sameSignal is how long after a signal another of its kind counts as the same one: timeout and
// some CI servers pass on one Ctrl-C twice.
const sameSignal = 200 * time.Millisecond

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The second ends the
// process at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		var first os.Signal
		select {
		case first = <-signals:
			cancel()
		case <-done:
			return
		}
		same := time.After(sameSignal)
		for {
			select {
			case <-same:
				first = nil
			case again := <-signals:
				if again != first {
					os.Exit(cli.ExitInterrupted)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

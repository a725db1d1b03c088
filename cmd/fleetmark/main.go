// Command fleetmark tells whether a change made the delivery of updates slower,
// heavier or less reliable, by how much, and why.
//
// It parses flags, calls the rooms below, prints what they give and turns their
// errors into exit codes. What could be of use without a command line is not here.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(mainCode()) }

func mainCode() int {
	profileEverything(os.Args)
	// A reader that goes away, as in `fleetmark run 2>&1 | head -1`, must not end a
	// run half-way: its writes fail with EPIPE instead.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := interruptible()
	defer stop()
	return execute(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// console is where the command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// interruptible gives a context that the first SIGINT or SIGTERM cancels; the
// second ends the process at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

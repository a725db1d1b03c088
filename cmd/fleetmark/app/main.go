// Package app holds the commands of fleetmark, one file each. A command reads its flags, makes one
// call into the package that does the work, prints what that returns, and turns its error into an
// exit code. Code that is of use without a command line belongs to another package.
//
// A program of another module may run the commands too, by calling [Main]. A call leaves no state
// behind: when it returns, it has restored what it changed in the process, such as how signals are
// handled.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/gatecmd"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/profilecmd"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
	"github.com/fleetmark/fleetmark/scenarios/opcost"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// Options says how the commands differ from those of cmd/fleetmark. The zero value changes nothing.
type Options struct {
	In       io.Reader // nil: standard input
	Out, Err io.Writer // nil: standard output, and standard error

	// Client is the delivery client that the commands drive; nil: that of package delivery.
	Client *runner.NamedClient
}

// An Option changes [Options].
type Option func(*Options)

// WithClient makes the commands drive the clients that newClient makes, and call them name, which
// must be a word.
func WithClient(name string, newClient client.New) Option {
	return func(o *Options) { o.Client = &runner.NamedClient{Name: name, New: newClient} }
}

// Main runs the command line of the process and ends the process with the command's exit code. It
// is all that a program's main has to call:
//
//	func main() { app.Main(app.WithClient("acme", newClient)) }
//
// It must be called first in main; see [Run].
func Main(options ...Option) {
	var o Options
	for _, option := range options {
		option(&o)
	}
	os.Exit(Run(os.Args, o))
}

// Run runs the command line args, whose first element is the name of the program, and returns the
// exit code. While it runs it takes over the signals SIGINT, SIGTERM and SIGPIPE. Call it first in
// main, since the commands start the program again as a child, with the arguments "fleet", "drive",
// "opcost" or "noop-client".
func Run(args []string, o Options) int {
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
	if c.Client = o.Client; c.Client != nil {
		if err := results.CheckName("client", c.Client.Name); err != nil {
			_, _ = fmt.Fprintln(c.Err, "fleetmark:", err)
			return cli.ExitUsage
		}
		if len(args) > 0 {
			c.Program = filepath.Base(args[0])
		}
	}
	defer profileEveryAllocation(c.Args)()
	// A reader that goes away, as in `fleetmark run 2>&1 | head -1`, must not end a run half-way:
	// its writes fail with EPIPE instead. Nobody needs to receive the signal for that.
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	defer signal.Stop(unread)
	ctx, stop := interruptible()
	defer stop()
	// The functions of a client may be in package main. On a goroutine of its own, a command has no
	// main.main on its stack, so that profiles don't show its work and its waits as the client's.
	code := make(chan int)
	go func() { code <- execute(ctx, c) }()
	return <-code
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

// execute runs the console's command line and returns the exit code.
func execute(ctx context.Context, c cli.Console) int {
	root := newRoot(c)
	root.SetArgs(append([]string{}, c.Args...)) // cobra takes nil for the arguments of the process
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	cmd, err := root.ExecuteContextC(ctx)
	err = interruption(ctx, err)
	for _, e := range scenarios.SplitErrors(nameSet(err)) {
		if e.Error() == "" {
			continue
		}
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok && hasFilePosition(mistake) {
			_, _ = fmt.Fprintln(c.Err, mistake.Excerpt())
			continue
		}
		for line := range strings.SplitSeq(withFlags(cmd, e), "\n") {
			// A failure to write to standard error can't be reported anywhere.
			_, _ = fmt.Fprintln(c.Err, "fleetmark:", plaintext.Printable(line))
		}
	}
	return cli.CodeOf(err)
}

// hasFilePosition reports whether the mistake is in the content of a file, rather than in reading
// the file.
// the file.
func hasFilePosition(mistake *scenarios.SpecError) bool {
	return mistake.File != "" && mistake.Err == nil
}

// interruption returns an error that says the command was interrupted if that is why err came
// about, and else err. A command that knows what its interruption left says so itself, in a
// [cli.ExitError].
func interruption(ctx context.Context, err error) error {
	if _, said := errors.AsType[*cli.ExitError](err); ctx.Err() == nil || err == nil || said {
		return err
	}
	interrupted := &cli.ExitError{Code: cli.ExitInterrupted, Text: "interrupted"}
	if errors.Is(err, context.Canceled) {
		return interrupted
	}
	return errors.Join(interrupted, err)
}

func newRoot(c cli.Console) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   cmp.Or(c.Program, "fleetmark"),
		Short: "Benchmark and load test for software that delivers updates to devices over HTTP",
		Long: `Fleetmark answers one question: did this change make delivering an update slower,
heavier or less reliable, by how much, and why?

It launches simulated HTTP devices, drives the delivery package against them,
reconciles what the client claims with what the devices saw, and compares with a
baseline by benchstat's statistics.

Exit codes: 0 pass, 1 regressed, 2 bad usage or input, or anything else that kept it
from judging, 3 inconclusive, 4 invalid run, 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cli.NoSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return showVersion(cmd.Context(), false, c)
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print the version, as the command version does")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%v; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newRun(c), newAgent(c), newCluster(c), newScenarios(c), newCompare(c), gatecmd.New(c), newRuns(c),
		newBaseline(c), newReport(c), profilecmd.New(c), newFleet(c), newDoctor(c), newInit(c), newVersion(c), newCompletion(c),
		newDrive(c), newOpcost(c),
		newNoopClient(c))
	root.SetHelpCommand(newHelp(root))
	for _, cmd := range root.Commands() {
		usageArgs(cmd)
	}
	completeArguments(root)
	nameKinds(root)
	return root
}

// newHelp returns the command help. Unlike cobra's own, it fails for a command that doesn't exist.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND ...]", Short: "Help about a command",
		RunE: func(_ *cobra.Command, names []string) error {
			cmd, rest, err := root.Find(names)
			if err != nil {
				return cli.Usagef("%v", err)
			}
			if len(rest) > 0 {
				return cli.NoSuchCommand(cmd, rest)
			}
			return cmd.Help()
		},
	}
}

// usageArgs makes errors about the arguments of a command, and of those below it, errors of usage.
func usageArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		usageArgs(sub)
	}
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			if _, ok := err.(*cli.ExitError); ok {
				return err
			}
			return cli.Usagef("%v; see %s --help", err, cmd.CommandPath())
		}
		return nil
	}
}

// newDrive returns the hidden command that the gate starts, once a side. Its name and what it reads
// and writes stay as they are: the gate also drives commands that were built from old revisions.
func newDrive(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use: "drive", Short: "Measure blocks for the gate, which starts it", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := abtest.Serve(cmd.Context(), c.In, c.Out, c.Client); err != nil {
				return fmt.Errorf("drive: %w", err)
			}
			return nil
		},
	}
}

// newNoopClient returns the hidden command as which runs of a client.command start this program, to
// measure what the protocol costs.
func newNoopClient(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use: cli.NoopClient, Short: "Be a client.command that does nothing; for fleetmark run, which starts it", Hidden: true,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return process.ServeNoop(c.In, c.Out) },
	}
}

// opcostCommand is the hidden command as which `fleetmark baseline` starts this program again.
const opcostCommand = "opcost"

// profileEveryAllocation makes this process profile each of its allocations if args run
// opcostCommand. It returns a function that restores the old rate. It must be called first, since
// earlier allocations aren't in the profile.
func profileEveryAllocation(args []string) func() {
	before := runtime.MemProfileRate
	if len(args) > 0 && args[0] == opcostCommand {
		runtime.MemProfileRate = 1
	}
	return func() { runtime.MemProfileRate = before }
}

func newOpcost(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use:    opcostCommand,
		Short:  "Take single operations apart, as standard input says; for fleetmark baseline, which starts it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleet, err := cli.FleetCommand()
			if err != nil {
				return err
			}
			return opcost.Serve(cmd.Context(), c.In, c.Out, opcost.Fleet{Command: fleet, Stderr: io.Discard})
		},
	}
}

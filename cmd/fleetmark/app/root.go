package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/gatecmd"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/profilecmd"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
)

// execute runs the console's command line and returns the exit code.
func execute(ctx context.Context, c cli.Console) int {
	root := newRoot(c)
	root.SetArgs(append([]string{}, c.Args...)) // cobra takes nil for the arguments of the process
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	err := interruption(ctx, root.ExecuteContext(ctx))
	for _, e := range scenarios.SplitErrors(err) {
		if e.Error() == "" {
			continue
		}
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok && hasFilePosition(mistake) {
			_, _ = fmt.Fprintln(c.Err, mistake.Report())
			continue
		}
		for line := range strings.SplitSeq(e.Error(), "\n") {
			// Standard error is where it would be said that this failed.
			_, _ = fmt.Fprintln(c.Err, "fleetmark:", plaintext.Printable(line))
		}
	}
	return cli.CodeOf(err)
}

// hasFilePosition reports whether the mistake is in a file, rather than in the command line.
func hasFilePosition(mistake *scenarios.SpecError) bool {
	return mistake.File != "" && !strings.HasPrefix(mistake.File, "--")
}

// interruption returns err, or that the command was interrupted if that is why it failed. A command
// that knows what its interruption left says so itself, in a [cli.ExitError].
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
		Use:   "fleetmark",
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
	root.AddCommand(newRun(c), newScenarios(c), newCompare(c), gatecmd.New(c), newRuns(c), newBaseline(c), newReport(c),
		profilecmd.New(c), newFleet(c), newDoctor(c), newVersion(c), newCompletion(c), newDrive(c), newOpcost(c))
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

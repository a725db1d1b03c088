package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios"
)

// execute runs the command line and gives the exit code.
func execute(ctx context.Context, args []string, c console) int {
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &exitError{exitInterrupted, "interrupted"} // whatever it was that was broken off
	}
	for _, e := range flatten(err) {
		if readerGone(e) || e.Error() == "" {
			continue
		}
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok && inFile(mistake) {
			_, _ = fmt.Fprintln(c.err, mistake.Report())
			continue
		}
		for line := range strings.SplitSeq(e.Error(), "\n") {
			// Standard error is where it would be said that this failed.
			_, _ = fmt.Fprintln(c.err, "fleetmark:", line)
		}
	}
	return codeOf(err)
}

func newRoot(c console) *cobra.Command {
	root := &cobra.Command{
		Use:   "fleetmark",
		Short: "Benchmark and load test for software that delivers updates to devices over HTTP",
		Long: `Fleetmark answers one question: did this change make delivering an update slower,
heavier or less reliable, by how much, and why?

It launches simulated HTTP devices, drives the delivery package against them,
reconciles what the client claims with what the devices saw, and compares with a
baseline by benchstat's statistics.

Exit codes: 0 pass, 1 regressed, 2 bad usage or input, 3 inconclusive,
4 invalid run, 130 interrupted.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{exitUsage, fmt.Sprintf("%v; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newRun(c), newScenarios(c), newCompare(c), newGate(c), newRuns(c), newBaseline(c), newReport(c), newProfile(c), newFleet(c), newDoctor(c), newDrive(c), newAnatomy(c))
	root.SetHelpCommand(newHelp(root))
	for _, cmd := range root.Commands() {
		usageArgs(cmd)
	}
	return root
}

// newHelp is cobra's own but for one thing: a command that isn't there is an error.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND ...]", Short: "Help about a command",
		RunE: func(_ *cobra.Command, names []string) error {
			cmd, rest, err := root.Find(names)
			if err != nil {
				return &exitError{exitUsage, err.Error()}
			}
			if len(rest) > 0 {
				return noSuchCommand(cmd, rest)
			}
			return cmd.Help()
		},
	}
}

// usageArgs makes every command's complaint about its arguments an error of usage.
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
			if _, ok := err.(*exitError); ok {
				return err
			}
			return &exitError{exitUsage, fmt.Sprintf("%v; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}

// noSuchCommand is for commands that only have subcommands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += ": did you mean " + like[0] + "?"
	}
	return &exitError{exitUsage, text + "; see " + cmd.CommandPath() + " --help"}
}

// group is a command that only has subcommands.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noSuchCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &exitError{exitUsage, fmt.Sprintf("%s wants a command; see %s --help", cmd.CommandPath(), cmd.CommandPath())}
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}

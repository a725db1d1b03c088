package app

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// newDrive returns the hidden command that the gate starts, once a side. Its name and what it reads
// and writes stay as they are: the gate also drives commands that were built from old revisions.
func newDrive(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use: "drive", Short: "Measure blocks for the gate, which starts it", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return versus.Serve(cmd.Context(), c.In, c.Out)
		},
	}
}

// opcostCommand is the hidden command as which `fleetmark baseline` starts this program again.
const opcostCommand = "anatomy"

// profileEveryAllocation has each allocation of this process profiled if it runs opcostCommand,
// until the function is called that it returns. It must be called first: earlier allocations are
// not in the profile.
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
			return anatomy.Serve(cmd.Context(), c.In, c.Out, anatomy.Fleet{Command: fleet, Stderr: io.Discard})
		},
	}
}

package app

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
)

// anatomyCommand is the hidden command as which `fleetmark baseline` starts this program again.
const anatomyCommand = "anatomy"

// profileEveryAllocation has each allocation of this process profiled if it runs anatomyCommand. It must be
// called first: earlier allocations are not in the profile.
func profileEveryAllocation(args []string) {
	if len(args) > 1 && args[1] == anatomyCommand {
		runtime.MemProfileRate = 1
	}
}

func newAnatomy(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use:    anatomyCommand,
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

package main

import (
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios/anatomy"
)

// anatomyCommand is the command that `fleetmark baseline` starts itself again as.
const anatomyCommand = "anatomy"

// profileEverything has each allocation of this process profiled if it is to take
// operations apart. It comes before anything else: what is allocated before is not known.
func profileEverything(args []string) {
	if len(args) > 1 && args[1] == anatomyCommand {
		runtime.MemProfileRate = 1
	}
}

func newAnatomy(c console) *cobra.Command {
	return &cobra.Command{
		Use:    anatomyCommand,
		Short:  "Take single operations apart, as standard input says; for fleetmark baseline, which starts it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			return anatomy.Serve(cmd.Context(), c.in, c.out, anatomy.Fleet{Command: []string{program, "fleet", "--driven"}, Stderr: io.Discard})
		},
	}
}

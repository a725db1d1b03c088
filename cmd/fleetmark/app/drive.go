package app

import (
	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// newDrive returns the hidden command that the gate starts, once a side. Its name and what it reads and
// writes stay as they are: the gate also drives commands that were built from old revisions.
func newDrive(c cli.Console) *cobra.Command {
	return &cobra.Command{
		Use: "drive", Short: "Measure blocks for the gate, which starts it", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return versus.Serve(cmd.Context(), c.In, c.Out)
		},
	}
}

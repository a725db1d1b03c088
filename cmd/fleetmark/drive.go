package main

import (
	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// newDrive is what the gate starts, once a side.
func newDrive(c console) *cobra.Command {
	return &cobra.Command{
		Use: "drive", Short: "Measure blocks for the gate, which starts it", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return versus.Serve(cmd.Context(), c.in, c.out)
		},
	}
}

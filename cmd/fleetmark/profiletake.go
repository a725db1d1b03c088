package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/profiles"
)

func newProfileTake(c console) *cobra.Command {
	quiet := false
	cmd := &cobra.Command{
		Use: "take DIR", Short: "Profiles of a push with this delivery package, as " + baselineProfiles + " has them, to hold against those",
		Long: `Takes eight CPU and eight allocation profiles of a push with this delivery package, as fleetmark baseline took those in
` + baselineProfiles + `, in some twenty seconds: with "fleetmark profile explain ` + baselineProfiles + ` DIR" a change is
explained without running the old code. Allocations are counted one by one, and are the same on any machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
				return &exitError{exitUsage, fmt.Sprintf("%s: holds something already: name a new directory", dir)}
			}
			err := takePushProfiles(cmd.Context(), dir, func(kind profiles.Kind, done, of int) {
				if !quiet {
					fmt.Fprintf(c.err, "%s: %d of %d\n", kind, done, of)
				}
			})
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			_, err = fmt.Fprintf(c.out, "fleetmark profile explain %s %s\n", filepath.FromSlash(baselineProfiles), dir)
			return err
		},
	}
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

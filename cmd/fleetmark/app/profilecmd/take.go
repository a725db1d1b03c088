package profilecmd

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

func newTake(c cli.Console) *cobra.Command {
	quiet := false
	cmd := &cobra.Command{
		Use: "take DIR",
		Short: "Profiles of a push with this delivery package, as " + versus.BaselineProfiles +
			" has them, to hold against those",
		Long: `Takes eight CPU and eight allocation profiles of a push with this delivery package, as fleetmark baseline took those in
` + versus.BaselineProfiles + `, in some twenty seconds: with "fleetmark profile explain ` + versus.BaselineProfiles + ` DIR" a change is
explained without running the old code. Allocations are counted one by one, and are the same on any machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
				return cli.Usagef("%s: holds something already: name a new directory", dir)
			}
			fleet, err := cli.FleetCommand()
			if err != nil {
				return err
			}
			err = versus.TakePushProfiles(cmd.Context(), versus.PushProfileOptions{
				FleetCommand: fleet, Dir: dir, Stderr: c.Err,
				Progress: func(kind profiles.Kind, done, of int) {
					if !quiet {
						fmt.Fprintf(c.Err, "%s: %d of %d\n", kind, done, of)
					}
				},
			})
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			base := filepath.FromSlash(versus.BaselineProfiles)
			_, err = fmt.Fprintf(c.Out, "fleetmark profile explain %s %s\n", base, dir)
			return err
		},
	}
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

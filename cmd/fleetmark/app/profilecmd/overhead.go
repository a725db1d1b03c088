package profilecmd

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

func newOverhead(c cli.Console) *cobra.Command {
	var budget time.Duration
	asJSON, quiet := false, false
	cmd := &cobra.Command{
		Use: "overhead", Short: "What a CPU profile at 100 Hz costs a push here: with and without it, by turns",
		Long: `Measures what a CPU profile at 100 Hz costs the program that it is taken of, on this machine: pushes with and without it, by
turns of a fraction of a second, as gate --base does. Timed repetitions are never profiled: this is what profiled ones,
and a service that is profiled in production, are slower by.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckBetween("budget", budget, time.Second, 24*time.Hour); err != nil {
				return err
			}
			fleet, err := cli.FleetCommand()
			if err != nil {
				return err
			}
			view := progress.NewLine(c.Err, quiet)
			list, err := versus.MeasureOverhead(cmd.Context(), versus.Options{
				FleetCommand: fleet, Budget: budget, Seed: 1, Stderr: c.Err, Progress: view.Progress,
			})
			view.Close()
			if unmeasured, ok := errors.AsType[*versus.OverheadError](err); ok {
				return cli.VerdictError(unmeasured.Verdict, overheadText(unmeasured))
			}
			if err != nil {
				return err
			}
			return showOverhead(list, asJSON, c)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().DurationVar(&budget, "budget", time.Minute, "how long is measured at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

// overheadText returns a line that says why the overhead of profiling couldn't be measured.
func overheadText(err *versus.OverheadError) string {
	if err.Judgement == nil {
		return err.Error() + ": allow more time (--budget)"
	}
	return err.Error() + ": " + report.Sentence(err.Judgement)
}

// showOverhead prints how a profile changes each metric.
func showOverhead(list []versus.Overhead, asJSON bool, c cli.Console) error {
	if asJSON {
		return c.PrintJSON(list)
	}
	var page bytes.Buffer
	for _, o := range list {
		estimate, low, high := o.Percent()
		fmt.Fprintf(&page, "%-9s %+.1f%% (%+.1f to %+.1f) with a CPU profile, %d pairs of blocks\n",
			o.Unit, estimate, low, high, o.Pairs)
	}
	_, err := c.Out.Write(page.Bytes())
	return err
}

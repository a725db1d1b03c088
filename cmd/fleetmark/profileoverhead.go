package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// overheadTurns are those in which it is measured.
func overheadTurns(budget time.Duration) turns {
	return turns{names: []string{"gate-push"}, seed: 1, budget: budget}
}

func newProfileOverhead(c console) *cobra.Command {
	t, asJSON, quiet := overheadTurns(0), false, false
	cmd := &cobra.Command{
		Use: "overhead", Short: "What a CPU profile at 100 Hz costs a push here: with and without it, by turns",
		Long: `Measures what a CPU profile at 100 Hz costs the program that it is taken of, on this machine: pushes with and without it, by
turns of a fraction of a second, as gate --base does. Timed repetitions are never profiled: this is what profiled ones,
and a service that is profiled in production, are slower by.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.budget < time.Second || t.budget > 24*time.Hour {
				return &exitError{exitUsage, fmt.Sprintf("--budget %v: want 1s to 24h", t.budget)}
			}
			view := newGateView(c, quiet)
			list, err := measureOverhead(cmd.Context(), t, c, view.progress)
			view.end()
			if err != nil {
				return err
			}
			return showOverhead(list, asJSON, c)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().DurationVar(&t.budget, "budget", time.Minute, "how long is measured at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

// overhead is what a profile makes of a metric, 1 being what it is without.
type overhead struct {
	Unit string `json:"unit"`
	*results.PairedRatio
}

// measureOverhead has pushes with and without a CPU profile take turns. Processor time comes first.
func measureOverhead(ctx context.Context, t turns, c console, progress func(versus.Progress)) ([]overhead, error) {
	o, err := t.options(c)
	if err != nil {
		return nil, err
	}
	o.Sides = versus.Sides{Base: o.FleetCommand[0], Now: o.FleetCommand[0]}
	o.Plant, o.Progress, o.Whole = scenarios.Plant{CPUProfile: true}, progress, true
	out, err := versus.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if out.Judgement.Verdict == results.Invalid {
		return nil, &exitError{exitInvalid, "nothing could be told of what profiling costs: " + out.Judgement.Reason}
	}
	var list []overhead
	for _, unit := range []string{"cpu-ns/op", "ns/op"} {
		for _, row := range out.Judgement.Rows {
			if row.Ratio != nil && row.Unit == unit {
				list = append(list, overhead{row.Unit, row.Ratio})
			}
		}
	}
	if len(list) == 0 {
		return nil, &exitError{exitInvalid, "nothing could be told of what profiling costs: allow more time (--budget)"}
	}
	return list, nil
}

// columns are the difference and its interval, in percent.
func (o overhead) columns() (estimate, low, high float64) {
	return 100 * (o.Estimate - 1), 100 * (o.Low - 1), 100 * (o.High - 1)
}

// showOverhead prints the ratios that a profile moves.
func showOverhead(list []overhead, asJSON bool, c console) error {
	if asJSON {
		return printJSON(c, list)
	}
	var page bytes.Buffer
	for _, o := range list {
		estimate, low, high := o.columns()
		fmt.Fprintf(&page, "%-9s %+.1f%% (%+.1f to %+.1f) with a CPU profile, %d pairs of blocks\n", o.Unit, estimate, low, high, o.Pairs)
	}
	_, err := c.out.Write(page.Bytes())
	return err
}

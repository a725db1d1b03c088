package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

func newProfileOverhead(c console) *cobra.Command {
	t, asJSON, quiet := turns{names: []string{"gate-push"}, seed: 1}, false, false
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
			o, err := t.options(c)
			if err != nil {
				return err
			}
			view := newGateView(c, quiet)
			o.Sides = versus.Sides{Base: o.FleetCommand[0], Now: o.FleetCommand[0]}
			o.Plant, o.Progress, o.Whole = scenarios.Plant{CPUProfile: true}, view.progress, true
			out, err := versus.Run(cmd.Context(), o)
			view.end()
			if err != nil {
				return err
			}
			return showOverhead(out, asJSON, c)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().DurationVar(&t.budget, "budget", time.Minute, "how long is measured at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

// showOverhead prints the two ratios that a profile moves.
func showOverhead(out *versus.Outcome, asJSON bool, c console) error {
	type overhead struct {
		Unit string `json:"unit"`
		*results.PairedRatio
	}
	if out.Judgement.Verdict == results.Invalid {
		return &exitError{exitInvalid, "nothing could be told: " + out.Judgement.Reason}
	}
	var list []overhead
	var page bytes.Buffer
	for _, row := range out.Judgement.Rows {
		if row.Ratio == nil || row.Unit != "cpu-ns/op" && row.Unit != "ns/op" {
			continue
		}
		list = append(list, overhead{row.Unit, row.Ratio})
		fmt.Fprintf(&page, "%-9s %+.1f%% (%+.1f to %+.1f) with a CPU profile, %d pairs of blocks\n", row.Unit,
			100*(row.Ratio.Estimate-1), 100*(row.Ratio.Low-1), 100*(row.Ratio.High-1), row.Ratio.Pairs)
	}
	if len(list) == 0 {
		return &exitError{exitInvalid, "nothing could be told: allow more time (--budget)"}
	}
	if asJSON {
		return printJSON(c, list)
	}
	_, err := c.out.Write(page.Bytes())
	return err
}

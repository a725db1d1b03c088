package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/profiles"
)

func newProfile(c console) *cobra.Command {
	var kind string
	var asJSON bool
	var o profiles.TopOptions
	top := &cobra.Command{
		Use: "top RUN|FILE", Short: "The functions that cost most, as go tool pprof -top shows them", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := profiles.ParseKind(kind)
			if err != nil {
				return &exitError{exitUsage, fmt.Sprintf("--kind %v", err)}
			}
			files, err := profiles.Find(args[0], k)
			if err != nil {
				return err
			}
			if !asJSON {
				return profiles.Top(cmd.Context(), c.out, files, o)
			}
			rows, err := profiles.TopRows(files, o)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(c.out)
			enc.SetIndent("", "  ")
			return enc.Encode(rows)
		},
	}
	flags := top.Flags()
	flags.SortFlags = false
	flags.StringVar(&kind, "kind", string(profiles.CPU), "cpu, heap, allocs, goroutine, mutex or block")
	flags.IntVarP(&o.Lines, "lines", "n", 0, "how many functions (0: 20; below 0: all)")
	flags.BoolVar(&o.Cumulative, "cum", false, "by what a function and all that it called took")
	flags.StringVar(&o.SampleIndex, "sample-index", "", "the number to show, such as alloc_objects")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return group("profile", "Read the profiles of a run", top)
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
)

func newCompare(c console) *cobra.Command {
	var o results.CompareOptions
	var format string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare OLD NEW ...",
		Short: "Compare measurements with benchstat's statistics",
		Long: `Compares samples files, run directories and baseline pages: the same centres,
intervals, deltas and p-values as "go tool benchstat" prints of them. LABEL=PATH
names a column. It shows; it doesn't judge: exit 0 means that it could compare.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if asJSON {
				format = "json"
			}
			inputs := make([]results.Input, len(paths))
			for i, path := range paths {
				var err error
				if inputs[i], err = results.OpenInput(path); err != nil {
					return err
				}
			}
			comparison, err := results.Compare(inputs, o)
			if err != nil {
				return err
			}
			if err := cmd.Context().Err(); err != nil { // interrupted while it read
				return err
			}
			switch format {
			case "text":
				err = comparison.WriteText(c.out, tableOptions(c.out))
			case "markdown":
				err = comparison.WriteMarkdown(c.out)
			case "csv":
				err = comparison.WriteCSV(c.out)
			case "json":
				err = comparison.WriteJSON(c.out)
			default:
				return &exitError{exitUsage, fmt.Sprintf("--format %q: want text, markdown, csv or json", format)}
			}
			if err != nil {
				return err
			}
			if len(paths) > 1 && comparison.Compared() == 0 {
				return &exitError{exitInconclusive, "nothing could be compared: the inputs have no benchmark and unit in common"}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&format, "format", "text", "text, markdown, csv or json")
	flags.BoolVar(&asJSON, "json", false, "the same as --format json")
	flags.StringVar(&o.Filter, "filter", "", "use only what matches, in benchstat's syntax")
	flags.StringVar(&o.Table, "table", "", "split into tables by this projection (default .config)")
	flags.StringVar(&o.Row, "row", "", "into rows (default .fullname)")
	flags.StringVar(&o.Col, "col", "", "into columns (default .file)")
	flags.StringVar(&o.Ignore, "ignore", "", "keys whose variation doesn't matter")
	flags.Float64Var(&o.Alpha, "alpha", 0, "call a change significant below this p (default 0.05)")
	flags.Float64Var(&o.Confidence, "confidence", 0, "of the intervals (default 0.95)")
	return cmd
}

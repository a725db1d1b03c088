package app

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/compare"
)

func newCompare(c cli.Console) *cobra.Command {
	var o compare.Options
	var format string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare OLD NEW ...",
		Short: "Compare measurements with benchstat's statistics",
		Long: `Compares samples files, run directories and baseline pages: the same centers,
intervals, deltas and p-values as "go tool benchstat" prints of them. LABEL=PATH
names a column, - is standard input, and what "go test -json" printed is read as well.
It shows; it doesn't judge: exit 0 means that it could compare.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if asJSON {
				format = "json"
			}
			for name, p := range map[string]float64{"alpha": o.Alpha, "confidence": o.Confidence} {
				if cmd.Flags().Changed(name) && !(p > 0 && p <= 1) {
					return cli.Usagef("--%s %v: want above 0 and at most 1", name, p)
				}
			}
			inputs := make([]compare.Input, len(paths))
			for i, path := range paths {
				var err error
				if inputs[i], err = openInput(path, paths[:i], c); err != nil {
					return err
				}
			}
			comparison, err := compare.Inputs(inputs, o)
			if err != nil {
				return err
			}
			if err := cmd.Context().Err(); err != nil { // interrupted while it read the inputs
				return err
			}
			switch format {
			case "text":
				err = comparison.WriteText(c.Out, cli.TableStyle(c.Out))
			case "markdown":
				err = comparison.WriteMarkdown(c.Out)
			case "csv":
				err = comparison.WriteCSV(c.Out)
			case "json":
				err = comparison.WriteJSON(c.Out)
			default:
				return cli.Usagef("--format %q: want text, markdown, csv or json", format)
			}
			if err != nil {
				return err
			}
			if len(paths) > 1 && comparison.Compared() == 0 {
				return cli.VerdictError(results.Inconclusive,
					"nothing could be compared: the inputs have no benchmark and unit in common")
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

// openInput opens an input of compare. before holds the inputs that are open already; standard
// input may be only one of them.
func openInput(path string, before []string, c cli.Console) (compare.Input, error) {
	label, name, named := strings.Cut(path, "=")
	if !named {
		label, name = path, path
	}
	if name != cli.Stdout { // cli.Stdout is "-", which here means standard input
		return compare.Open(path)
	}
	for _, other := range before {
		if other == cli.Stdout || strings.HasSuffix(other, "="+cli.Stdout) {
			return compare.Input{}, cli.Usagef("-: standard input is named twice: name it once")
		}
	}
	return compare.Read(c.In, label)
}

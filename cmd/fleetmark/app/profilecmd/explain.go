package profilecmd

import (
	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

func newExplain(c cli.Console) *cobra.Command {
	var f flags
	var o profiles.ExplainOptions
	cmd := &cobra.Command{
		Use:   "explain BASE NOW",
		Short: "The functions that made an operation dearer or cheaper, each with its share and how sure that is",
		Long: `The functions that made an operation dearer or cheaper between two runs: of each whose change is real, by how much, which
share of the whole difference that is, with its 95% interval, the lines, what it calls, and who calls it. Says nothing
where nothing is real. Both runs want five profiled repetitions at least, and eight are better:
fleetmark run --profiled 8.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(o.Own) == 0 {
				o.Own = versus.OwnFunctions()
			}
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			o.Kind, o.SampleIndex = f.top.Kind, f.top.SampleIndex
			e, err := profiles.Explain(cmd.Context(), files[0], files[1], o)
			if err != nil {
				return err
			}
			if f.json {
				return c.PrintJSON(e)
			}
			return e.WriteText(c.Out)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&o.Own, "own", nil,
		"beginnings of the functions that may be the cause (default: those of this module)")
	cmd.Flags().StringSliceVar(&o.Within, "within", nil,
		"count only stacks with a function that begins so, such as the package that waits (default: all)")
	cmd.Flags().BoolVar(&o.Paired, "paired", false, "the repetitions of both took turns")
	cmd.Flags().Float64Var(&o.Alpha, "alpha", 0, "the chance that anything is named where nothing changed (0: 1%)")
	cmd.Flags().IntVar(&o.Causes, "causes", 0, "how many are shown (0: 10)")
	f.addJSON(cmd)
	return cmd
}

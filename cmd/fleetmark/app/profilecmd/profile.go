// Package profilecmd implements the commands of `fleetmark profile`, which show, compare, explain
// and take profiles. Each reads its flags, calls package profiles, or package versus to measure,
// and prints the result.
package profilecmd

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/profiles"
)

// New returns the command profile with its subcommands.
func New(c cli.Console) *cobra.Command {
	return cli.Group("profile", "Read the profiles of a run, and say why one is slower than another",
		newTop(c), newDiff(c), newExplain(c), newFlame(c), newWeb(c), newCapture(c), newTake(c), newOverhead(c))
}

// flags are the flags of the commands that read profiles.
type flags struct {
	kind      string
	json      bool
	raw       bool
	normalize bool
	top       profiles.TopOptions
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.kind, "kind", string(profiles.CPU), "cpu, heap, allocs, goroutine, mutex or block")
	cmd.Flags().StringVar(&f.top.SampleIndex, "sample-index", "", "the number to show, such as alloc_objects")
}

func (f *flags) addTable(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.top.Lines, "lines", "n", 0, "how many functions (0: 20; below 0: all)")
	cmd.Flags().BoolVar(&f.top.Cumulative, "cum", false, "by what a function and all that it called took")
}

func (f *flags) addRaw(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.raw, "raw", false, "the files as they are, not a million operations of either side")
	cmd.Flags().BoolVar(&f.normalize, "normalize", false,
		"compare shares: the second scaled to the sum of the first, as pprof's -normalize does")
	cmd.MarkFlagsMutuallyExclusive("raw", "normalize")
}

func (f *flags) addJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// files returns the profiles of each argument, a run directory or a file. Each must be of the kind
// that --kind names if the flag was given or the argument is a directory.
func (f *flags) files(cmd *cobra.Command, args []string) ([][]string, error) {
	k, err := profiles.ParseKind(f.kind)
	if err != nil {
		return nil, cli.Usagef("--kind %v", err)
	}
	all := make([][]string, len(args))
	for i, arg := range args {
		if all[i], err = profiles.Find(arg, k); err != nil {
			return nil, err
		}
		if cmd.Flags().Changed("kind") || len(all[i]) != 1 || all[i][0] != arg {
			f.top.Kind = k
		}
	}
	return all, nil
}

// printNotes prints notes on standard error, beside numbers on standard output.
func printNotes(c cli.Console, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(c.Err, "note: %s\n", profiles.Printable(n))
	}
}

func newTop(c cli.Console) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use: "top RUN|FILE", Args: cobra.ExactArgs(1),
		Short: "The functions that cost most, as go tool pprof -top shows them",
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			if !f.json {
				return writeTop(c.Out, cli.Width(c.Out), func(w io.Writer) error {
					return profiles.Top(cmd.Context(), w, files[0], f.top)
				})
			}
			rows, notes, err := profiles.TopRows(files[0], f.top)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			return c.PrintJSON(rows)
		},
	}
	f.add(cmd)
	f.addTable(cmd)
	f.addJSON(cmd)
	return cmd
}

func newDiff(c cli.Console) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "diff BASE NOW",
		Short: "What an operation costs more or less in each function, as go tool pprof -diff_base shows it",
		Long: `What an operation costs more or less in each function: NOW less BASE, each a run directory or a file.
Both are scaled to a million operations first, so that 1s is a microsecond an operation, and 1MB a byte.
With --raw the files are taken as they are, and the numbers are those of go tool pprof -top -diff_base; a note says
how long either side is. With --normalize NOW is scaled to the sum of BASE first, as by go tool pprof -normalize: a
percentage is then a difference of shares, and any two profiles of a kind can be compared, whatever their lengths.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			o := profiles.DiffOptions{TopOptions: f.top, Raw: f.raw, Normalize: f.normalize}
			if !f.json {
				return writeTop(c.Out, cli.Width(c.Out), func(w io.Writer) error {
					return profiles.Diff(cmd.Context(), w, files[0], files[1], o)
				})
			}
			rows, notes, err := profiles.DiffRows(cmd.Context(), files[0], files[1], o)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			return c.PrintJSON(rows)
		},
	}
	f.add(cmd)
	f.addTable(cmd)
	cmd.Flags().BoolVar(&f.top.ByLine, "by-line", false, "lines rather than functions")
	f.addRaw(cmd)
	f.addJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("by-line", "json")
	return cmd
}

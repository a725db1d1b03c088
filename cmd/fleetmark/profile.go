package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/profiles"
)

func newProfile(c console) *cobra.Command {
	return group("profile", "Read the profiles of a run, and say why one is slower than another",
		newProfileTop(c), newProfileDiff(c), newProfileExplain(c), newProfileFlame(c), newProfileWeb(c), newProfileCapture(c), newProfileTake(c), newProfileOverhead(c))
}

// profileFlags are what the commands that read profiles have in common.
type profileFlags struct {
	kind string
	json bool
	raw  bool
	top  profiles.TopOptions
}

func (f *profileFlags) add(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.kind, "kind", string(profiles.CPU), "cpu, heap, allocs, goroutine, mutex or block")
	cmd.Flags().StringVar(&f.top.SampleIndex, "sample-index", "", "the number to show, such as alloc_objects")
}

func (f *profileFlags) addTable(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.top.Lines, "lines", "n", 0, "how many functions (0: 20; below 0: all)")
	cmd.Flags().BoolVar(&f.top.Cumulative, "cum", false, "by what a function and all that it called took")
}

func (f *profileFlags) addRaw(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.raw, "raw", false, "the files as they are, not a million operations of either side")
}

func (f *profileFlags) addJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// files are those that each argument stands for, a run directory or a file.
func (f *profileFlags) files(args []string) ([][]string, error) {
	k, err := profiles.ParseKind(f.kind)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Sprintf("--kind %v", err)}
	}
	all := make([][]string, len(args))
	for i, arg := range args {
		if all[i], err = profiles.Find(arg, k); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func printJSON(c console, v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newProfileTop(c console) *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use: "top RUN|FILE", Short: "The functions that cost most, as go tool pprof -top shows them", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(args)
			if err != nil {
				return err
			}
			if !f.json {
				return profiles.Top(cmd.Context(), c.out, files[0], f.top)
			}
			rows, err := profiles.TopRows(files[0], f.top)
			if err != nil {
				return err
			}
			return printJSON(c, rows)
		},
	}
	f.add(cmd)
	f.addTable(cmd)
	f.addJSON(cmd)
	return cmd
}

func newProfileDiff(c console) *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use: "diff BASE NOW", Short: "What an operation costs more or less in each function, as go tool pprof -diff_base shows it",
		Long: `What an operation costs more or less in each function: NOW less BASE, each a run directory or a file.
Both are scaled to a million operations first, so that 1s is a microsecond an operation, and 1MB a byte.
With --raw the files are taken as they are, and the numbers are those of go tool pprof -top -diff_base.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(args)
			if err != nil {
				return err
			}
			o := profiles.DiffOptions{TopOptions: f.top, Raw: f.raw}
			if !f.json {
				return profiles.Diff(cmd.Context(), c.out, files[0], files[1], o)
			}
			rows, err := profiles.DiffRows(cmd.Context(), files[0], files[1], o)
			if err != nil {
				return err
			}
			return printJSON(c, rows)
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

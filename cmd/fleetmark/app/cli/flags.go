package cli

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// RejectEmpty returns an error if one of the named flags was given an empty value, as by
// --out="$DIR" if DIR isn't set.
func RejectEmpty(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return Usagef("--%s: is empty; give it a value, or leave it out", name)
		}
	}
	return nil
}

// CheckBetween returns an error if d, the value of a flag, isn't between low and high.
func CheckBetween(flag string, d, low, high time.Duration) error {
	if d < low || d > high {
		return Usagef("--%s %v: want %v to %gh", flag, d, low, high.Hours())
	}
	return nil
}

// AllFlag defines --all, which also shows rows that weren't judged.
func AllFlag(flags *pflag.FlagSet, all *bool) {
	flags.BoolVar(all, "all", false, "show every row of the table, those that weren't judged too")
}

// Group returns a command that only has subcommands.
func Group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: NoSuchCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Usagef("%s wants a command; see %s --help", cmd.CommandPath(), cmd.CommandPath())
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}

// NoSuchCommand checks the arguments of a command that only has subcommands: there must be none.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	suggestion := ""
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		suggestion = ": did you mean " + like[0] + "?"
	}
	return Usagef("%s has no command %q%s; see %s --help", cmd.CommandPath(), args[0], suggestion, cmd.CommandPath())
}

package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// newCompletion returns the command completion. Unlike cobra's own, it fails for a shell that it
// doesn't know.
func newCompletion(c cli.Console) *cobra.Command {
	const wanted = "want bash, zsh, fish or powershell"
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes commands, flags, scenarios and runs in a shell",
		Example: `  source <(fleetmark completion bash)     # in ~/.bashrc; wants the package bash-completion
  source <(fleetmark completion zsh)      # in ~/.zshrc, after compinit
  fleetmark completion fish > ~/.config/fish/completions/fleetmark.fish
  fleetmark completion powershell | Out-String | Invoke-Expression    # in $PROFILE`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("completion: %s, and nothing else", wanted)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.Out, true)
			case "zsh":
				return root.GenZshCompletion(c.Out)
			case "fish":
				return root.GenFishCompletion(c.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(c.Out)
			}
			return cli.Usagef("completion %q: %s", args[0], wanted)
		},
	}
}

// completeArguments sets how shells complete the arguments of commands. Files are offered if
// nothing else begins with what was typed.
func completeArguments(root *cobra.Command) {
	for path, complete := range map[string]cobra.CompletionFunc{
		"run": completeScenarios, "gate": completeScenarios, "scenarios show": completeScenarios,
		"report": completeRuns, "compare": completeRuns,
		"profile top": completeRuns, "profile diff": completeRuns, "profile explain": completeRuns,
		"profile flame": completeRuns, "profile web": completeRuns,
	} {
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil {
			cmd.ValidArgsFunction = complete
		}
	}
}

func completeScenarios(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err == nil && strings.HasPrefix(name, typed) && !slices.Contains(args, name) {
			list = append(list, cobra.CompletionWithDesc(name, s.Description))
		}
	}
	return list, cobra.ShellCompDirectiveDefault
}

// completeRuns offers the run directories in runs/, the newest first.
func completeRuns(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	entries, err := os.ReadDir("runs")
	if err != nil { // there are none
		return nil, cobra.ShellCompDirectiveDefault
	}
	var list []cobra.Completion
	for _, e := range slices.Backward(entries) {
		dir := filepath.Join("runs", e.Name())
		if !strings.HasPrefix(dir, typed) || slices.Contains(args, dir) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, rundir.RunFile)); err == nil {
			list = append(list, dir)
		}
	}
	return list, cobra.ShellCompDirectiveDefault | cobra.ShellCompDirectiveKeepOrder
}

// completeFlag has shells complete a flag by its kind of value. A kind without a completion is
// completed as a file.
func completeFlag(cmd *cobra.Command, f *pflag.Flag, k valueKind) {
	complete := k.complete
	if k.values != nil {
		complete = cobra.FixedCompletions(k.values, cobra.ShellCompDirectiveNoFileComp)
	}
	if complete == nil {
		return
	}
	if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
		panic(err) // the flag is there, and is given one completion
	}
}

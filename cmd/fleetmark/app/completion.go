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
	"github.com/fleetmark/fleetmark/scenarios/baselinepage"
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
	for _, name := range scenarios.CatalogNames() {
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

// A valueKind is a kind of value that text flags take.
type valueKind struct {
	name     string               // as --help shows it
	values   []string             // all possible values, for completion; nil if there are too many
	complete cobra.CompletionFunc // used if values is nil; if it is nil too, files are offered
}

// oneOf returns the kind of a flag that takes one of a few values. --help lists them.
func oneOf(values ...string) valueKind {
	return valueKind{name: strings.Join(values, "|"), values: values}
}

// valueKinds returns the kinds of the flags that take text, by command and flag, or by flag alone.
func valueKinds() map[string]valueKind {
	kind := func(name string) valueKind { return valueKind{name: name} }
	text := func(name string) valueKind { // completes nothing: no file's name is such a value
		return valueKind{name: name, complete: cobra.NoFileCompletions}
	}
	run := valueKind{name: "dir", complete: completeRuns}
	profile := []string{"cpu", "heap", "allocs", "goroutine", "mutex", "block"}
	some := func(name string, values ...string) valueKind { return valueKind{name: name, values: values} }
	kinds := map[string]valueKind{
		"init --client": text("name"), "host": text("name|IP"), "init --dir": kind("dir"), "init --ci": oneOf("github", "none"),
		"out": kind("dir"), "profiles": kind("dir"), "profile flame --out": kind("file"),
		"html": kind("file"), "markdown": kind("file"), "comment": kind("file"), "junit": kind("file"),
		"json": kind("file"), "file": kind("file"), "baseline": kind("file"), "devices-from": kind("file"),

		"run": run, "from": run, "gate --base": text("ref"),
		"report --base":   {name: "run|file", complete: completeRuns},
		"scenario":        {name: "scenario", complete: completeScenarios},
		"runs --scenario": {name: "pattern", complete: completeScenarios},

		"set": text("KEY=VALUE"), "fleet-control": text("URL"), "bench": text("regexp"), "base-command": text("command"), "command": text("command"), "cpu": text("list"),
		"bench-time": text("duration"), "revision": text("commit"), "since": text("time"), "metrics": text("host:port"),
		"listen": text("host:port"), "control-listen": text("host:port"), "initial-version": text("version"),
		"shard": text("INDEX/COUNT"),
		"join":  text("host:port"), "cluster-listen": text("host:port"), "agent --listen": text("IP"),
		"nats": text("URL"), "keys": kind("dir"), "creds": kind("file"), "name": text("name"), "role": oneOf("both", "driver", "fleet"),
		"device-network": text("CIDR"),
		"filter":         text("expr"), "table": text("projection"), "row": text("projection"), "col": text("projection"),
		"ignore": text("keys"), "sample-index": text("name"), "own": text("prefixes"), "within": text("prefixes"),

		"fleet":    some("process|inprocess|URL", "process", "inprocess"),
		"progress": some("form", "auto", "bars", "lines", "json", "none"),
		"sections": some("list", append([]string{"all", "none"}, baselinepage.Sections()...)...),
		"format":   some("format", "text", "markdown", "csv", "json"),
		"verdict":  some("verdict", "pass", "improved", "regressed", "inconclusive", "invalid", "none"),
		"tls":      some("form", "good", "expired", "wrong-name", "unknown-ca", "tls-1.1", "stall"),

		"by": oneOf("group", "wave"), "schema": oneOf("report", "timeline", "process"),

		"kind": some("kind", profile...), "profile capture --kind": some("kinds", profile...),
	}
	for _, f := range scenarios.FlagFields() {
		if _, ok := kinds[f.Flag]; !ok {
			kinds[f.Flag] = flagKind(f)
		}
	}
	return kinds
}

// nameKinds makes --help name the kinds of all text flags, and shells complete them.
func nameKinds(root *cobra.Command) {
	kinds := valueKinds()
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		path := strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.HasPrefix(f.Value.Type(), "string") {
				return
			}
			k, ok := kinds[path+" --"+f.Name]
			if !ok {
				k, ok = kinds[f.Name]
			}
			if ok {
				if f.DefValue == "[]" { // otherwise --help would show "[]"
					f.DefValue = ""
				}
				f.Value = kindValue{f.Value, k.name}
				if k.values != nil {
					k.complete = cobra.FixedCompletions(k.values, cobra.ShellCompDirectiveNoFileComp)
				}
				if k.complete != nil {
					// It fails only if the flag doesn't exist, or has a completion already.
					_ = cmd.RegisterFlagCompletionFunc(f.Name, k.complete)
				}
			}
		})
	}
	visit(root)
}

// kindValue is the value of a flag whose type --help shows under another name.
type kindValue struct {
	pflag.Value
	kind string
}

// Type returns the name of the kind.
func (v kindValue) Type() string { return v.kind }

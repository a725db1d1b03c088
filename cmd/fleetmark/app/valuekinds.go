package app

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetmark/fleetmark/scenarios/baselinepage"
)

// A valueKind is a kind of value that text flags take.
type valueKind struct {
	name     string               // as --help shows it
	values   []string             // all possible values, for completion; nil if there are too many
	complete cobra.CompletionFunc // completes if values is nil; if it is nil too, files are offered
}

// oneOf returns the kind of a flag that takes one of a few values, which --help names.
func oneOf(values ...string) valueKind {
	return valueKind{name: strings.Join(values, "|"), values: values}
}

// valueKinds returns the kinds of the flags that take text, by command and flag, or by flag alone.
func valueKinds() map[string]valueKind {
	kind := func(name string) valueKind { return valueKind{name: name} }
	text := func(name string) valueKind { // nothing that a file's name could be
		return valueKind{name: name, complete: cobra.NoFileCompletions}
	}
	run := valueKind{name: "dir", complete: completeRuns}
	profile := []string{"cpu", "heap", "allocs", "goroutine", "mutex", "block"}
	some := func(name string, values ...string) valueKind { return valueKind{name: name, values: values} }
	kinds := map[string]valueKind{
		"out": kind("dir"), "profiles": kind("dir"), "profile flame --out": kind("file"),
		"html": kind("file"), "markdown": kind("file"), "comment": kind("file"), "junit": kind("file"),
		"json": kind("file"), "file": kind("file"), "baseline": kind("file"), "devices-from": kind("file"),

		"run": run, "from": run, "gate --base": text("ref"),
		"report --base":   {name: "run|file", complete: completeRuns},
		"scenario":        {name: "scenario", complete: completeScenarios},
		"runs --scenario": {name: "pattern", complete: completeScenarios},

		"set": text("KEY=VALUE"), "fleet-control": text("URL"), "bench": text("regexp"), "cpu": text("list"),
		"bench-time": text("duration"), "revision": text("commit"), "since": text("time"),
		"listen": text("host:port"), "control-listen": text("host:port"), "initial-version": text("version"),
		"filter": text("expr"), "table": text("projection"), "row": text("projection"), "col": text("projection"),
		"ignore": text("keys"), "sample-index": text("name"), "own": text("prefixes"), "within": text("prefixes"),

		"fleet":    some("process|inprocess|URL", "process", "inprocess"),
		"progress": some("form", "auto", "bars", "lines", "json", "none"),
		"sections": some("list", append([]string{"all", "none"}, baselinepage.Sections()...)...),
		"format":   some("format", "text", "markdown", "csv", "json"),
		"verdict":  some("verdict", "pass", "improved", "regressed", "inconclusive", "invalid", "none"),
		"tls":      some("form", "good", "expired", "wrong-name", "unknown-ca", "tls-1.1", "stall"),

		"addressing": oneOf("ip", "port", "path"),
		"kind":       some("kind", profile...), "profile capture --kind": some("kinds", profile...),
	}
	for _, s := range specFlags() {
		if _, ok := kinds[s.name]; !ok {
			kinds[s.name] = s.kind
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
				if f.DefValue == "[]" { // --help would show it
					f.DefValue = ""
				}
				f.Value = kindValue{f.Value, k.name}
				completeFlag(cmd, f, k)
			}
		})
	}
	visit(root)
}

// kindValue is the value of a flag with another name for its type.
type kindValue struct {
	pflag.Value
	kind string
}

// Type returns the name of the kind.
func (v kindValue) Type() string { return v.kind }

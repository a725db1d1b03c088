package app

import (
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// gateFlags are the flags of gate.
type gateFlags struct {
	base     string // a git reference to measure and compare with
	bench    string // the Go benchmarks to compare, rather than scenarios
	cpu      string // the values of GOMAXPROCS that they are measured at
	baseline string // a page to compare with
	selfTest bool

	pageGiven bool // --baseline was

	runs     []string // finished runs; empty: run the scenarios now
	portable bool
	sets     []string
	out      string

	unexplained bool // the cause of a regression isn't looked for

	benchTimeout time.Duration // of one benchmark in one process

	budget      time.Duration // of a comparison by turns
	budgetGiven bool
	layouts     time.Duration // how long further layouts of the code are measured at most; 0: none are
	seed        uint64        // of the order of turns
	tries       int           // of a self-test

	html     string // this and the other files may be cli.Stdout
	junit    string
	github   bool
	markdown string
	json     bool
	all      bool // rows that weren't judged are shown
	quiet    bool
	printed  io.Writer // standard output
}

func newGate(c cli.Console) *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate [SCENARIO|FILE.yaml ...] | gate --bench REGEX [--base REF] [PACKAGE ...]",
		Short: "Pass or fail a change: hold runs against a baseline, or against another revision",
		Long: `Holds runs against a baseline page, and passes only what was judged and is no worse.
With --run finished runs are judged; otherwise the baseline's scenarios, or those that
are named, are run now.

With --base the delivery package of a git revision and that of the working tree are built
into two drivers, which measure in turns of a fraction of a second until it is decided:
the way to judge times. It runs in the source tree. --self-test has the gate judge what it
knows the answer of, and prints how often it was right on this machine.

With --base and --bench the Go benchmarks that the expression matches are measured in the
same way: the test binaries of both sides, each built with its own modules, take turns.
It runs in any Go module, and arguments are packages as for go test (default: those of
fleetmark.yaml, or else the current one). --bench without --base measures them now, and
judges their allocations by those of the baseline page.

Counts, bytes on the wire, outcomes and allocations are judged on any machine. Times are
judged on the machine that the baseline was measured on; elsewhere they are inconclusive,
and with them the gate, unless --portable says that only the others are wanted.

Exit codes: 0 pass, 1 regressed or a threshold failed, 2 bad usage or input,
3 inconclusive, 4 invalid run, 130 interrupted.`,
		Example: `  fleetmark gate --portable
  fleetmark gate --run runs/20260102T030405Z-rollout-1a2b3c rollout
  fleetmark gate --base main
  fleetmark gate --base main --bench 'Push|Verify' ./delivery
  fleetmark gate --self-test
  fleetmark gate --baseline BASELINE_METRICS.md --markdown gate.md --json`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			f.printed, c = c.Out, f.tables(c)
			switch {
			case f.selfTest:
				return gateSelfTest(cmd, &f, names, c)
			case f.bench != "" && f.base != "":
				return gateBench(cmd, &f, names, c)
			case f.bench != "":
				return gateBenchPage(cmd, &f, names, c)
			case f.base != "":
				return gateBase(cmd, &f, names, c)
			default:
				return gateBaseline(cmd, &f, names, c)
			}
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.baseline, "baseline", baseline.FileName, "the page to hold runs against")
	flags.StringVar(&f.base, "base", "", "measure this git reference and the working tree by turns, and compare the two")
	flags.StringVar(&f.bench, "bench", "", "compare the Go benchmarks that this regular expression matches: with --base two revisions, without it with the page")
	flags.StringVar(&f.cpu, "cpu", "", "with --base and --bench: measure at these values of GOMAXPROCS, such as 1,2 (default the current one)")
	flags.DurationVar(&f.benchTimeout, "bench-timeout", gobench.DefaultLimit, "with --base and --bench: how long one benchmark may take in one process")
	flags.StringArrayVar(&f.runs, "run", nil, "judge this finished run directory instead of running (repeatable)")
	flags.BoolVar(&f.portable, "portable", false, "ask only for what means the same on any machine: counts, bytes, outcomes, allocations")
	flags.BoolVar(&f.selfTest, "self-test", false, "show that the gate passes what is unchanged and catches what is worse, on this machine")
	flags.DurationVar(&f.budget, "budget", versus.DefaultBudget, "with --base or --self-test: how long one comparison measures at most (with --bench by default 25s a benchmark, at least 1m40s, at most 30m)")
	flags.DurationVar(&f.layouts, "layout-budget", versus.DefaultLayoutBudget, "with --base: how long further layouts of the code are measured at most before a time is called regressed; 0 trusts the one that the linker made")
	flags.BoolVar(&f.unexplained, "no-explain", false, "with --base: don't profile both sides after a regression to say which function it is")
	flags.Uint64Var(&f.seed, "seed", 1, "with --base or --self-test: of the order in which the two sides take turns")
	flags.IntVar(&f.tries, "tries", 10, "with --self-test: comparisons of each kind that has noise")
	flags.StringArrayVar(&f.sets, "set", nil, "KEY=VALUE: set any field of the scenarios that are run, as run --set does")
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.StringVar(&f.html, "html", "", "write one HTML page to this file (- is standard output, for this and the others), plots and all")
	flags.StringVar(&f.markdown, "markdown", "", "write a pull request's comment to this file: the verdict first, the rest folded")
	flags.StringVar(&f.junit, "junit", "", "write JUnit XML to this file")
	flags.BoolVar(&f.github, "github", false, "append to $GITHUB_STEP_SUMMARY and print annotations, in a step of GitHub Actions")
	flags.BoolVar(&f.json, "json", false, "print a JSON object instead of tables")
	cli.AllFlag(flags, &f.all)
	flags.BoolVar(&f.quiet, "no-progress", false, "show no progress")
	return cmd
}

// check returns an error for flags that contradict each other and files that can't be written, before the
// gate measures for minutes.
func (f *gateFlags) check(cmd *cobra.Command) error {
	if err := cli.RejectEmpty(cmd, "base", "bench", "cpu", "baseline", "out", "html", "markdown", "junit"); err != nil {
		return err
	}
	for _, dir := range f.runs {
		if dir == "" {
			return cli.Usagef("--run: is empty; name a run directory")
		}
	}
	changed := cmd.Flags().Changed
	for _, pair := range []struct{ one, other, why string }{
		{"base", "baseline", "old and new are held against each other, or new against a page"},
		{"base", "run", "both sides are measured anew"},
		{"base", "portable", "both sides are measured on this machine, so that times can be judged"},
		{"self-test", "baseline", "it judges the gate, and no change"},
		{"self-test", "run", "it judges the gate, and no change"},
		{"self-test", "base", "it judges the gate, and no change"},
		{"self-test", "bench", "it judges the gate, and no change"},
		{"bench", "set", "a benchmark has no scenario"},
		{"bench", "run", "a finished run has scenarios, and no benchmarks"},
		{"self-test", "html", "it judges the gate, and no change"},
		{"self-test", "markdown", "it judges the gate, and no change"},
		{"self-test", "junit", "it judges the gate, and no change"},
		{"self-test", "github", "it judges the gate, and no change"},
		{"self-test", "portable", "it judges the gate, and no change"},
		{"self-test", "all", "it judges the gate, and no change"},
		{"self-test", "no-explain", "it judges the gate, and no change"},
		{"run", "no-explain", "a finished run is as it is"},
		{"run", "set", "a finished run is as it is"},
		{"run", "out", "a finished run is where it is"},
	} {
		if changed(pair.one) && changed(pair.other) {
			return cli.Usagef("--%s and --%s: %s; leave one of the two out", pair.one, pair.other, pair.why)
		}
	}
	if f.unexplained && f.base == "" {
		return cli.Usagef("--no-explain: only --base looks for causes: leave it out")
	}
	if (f.bench == "" || f.base == "") && (changed("cpu") || changed("bench-timeout")) {
		return cli.Usagef("--cpu and --bench-timeout: are for --base with --bench: leave them out")
	}
	f.budgetGiven, f.pageGiven = changed("budget"), changed("baseline")
	if f.benchTimeout < time.Second || f.benchTimeout > 24*time.Hour {
		return cli.Usagef("--bench-timeout %v: want 1s to 24h", f.benchTimeout)
	}
	if f.github && os.Getenv(stepSummary) == "" {
		return &cli.ExitError{Code: cli.ExitUsage, Text: "--github: " + stepSummary + " isn't set: use it in a step of GitHub Actions, or leave it out"}
	}
	if f.github && f.json {
		return cli.Usagef("--github and --json: both print on standard output; leave one of the two out")
	}
	if f.budget < time.Second || f.budget > 24*time.Hour {
		return cli.Usagef("--budget %v: want 1s to 24h", f.budget)
	}
	if f.layouts < 0 || f.layouts > 24*time.Hour {
		return cli.Usagef("--layout-budget %v: want 0 to 24h", f.layouts)
	}
	if changed("layout-budget") && f.base == "" {
		return cli.Usagef("--layout-budget: only --base links both sides again: leave it out")
	}
	if f.tries < 1 || f.tries > 1000 {
		return cli.Usagef("--tries %d: want 1 to 1000", f.tries)
	}
	taken := ""
	switch {
	case f.github:
		taken = "github"
	case f.json:
		taken = "json"
	}
	return cli.CheckOutputs(cmd, taken, "html", "markdown", "junit")
}

// tables returns the console for tables: they go to standard error if a report goes to standard output.
func (f *gateFlags) tables(c cli.Console) cli.Console {
	if f.html == cli.Stdout || f.markdown == cli.Stdout || f.junit == cli.Stdout {
		c.Out = c.Err
	}
	return c
}

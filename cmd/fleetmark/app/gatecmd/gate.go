// Package gatecmd holds the command `fleetmark gate`, which passes or fails a change. Its flags
// choose one of four ways to judge: runs or Go benchmarks, compared with a baseline page or with
// another revision. Each is one call into the packages that measure and judge; the result is
// one document, which the command writes to every report that was asked for, even if nothing could
// be judged. A fifth way judges the gate itself.
package gatecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// gate is the command with the values of its flags.
type gate struct {
	cli.Console             // tables and JSON go to Out
	reports     cli.Console // reports go to Out if their file is cli.Stdout

	base string // a git reference to measure and compare with
	// Two programs to measure and compare.
	baseCommand, command string

	bench     string // the Go benchmarks to compare, rather than scenarios
	cpu       string // the values of GOMAXPROCS that they are measured at
	baseline  string // a page to compare with
	pageGiven bool   // --baseline was given
	selfTest  bool

	runs     []string // finished runs; empty: the gate runs the scenarios
	portable bool
	sets     []string
	out      string

	noExplain    bool          // the cause of a regression isn't looked for
	benchTimeout time.Duration // how long one benchmark may take in one process
	budget       time.Duration // how long one comparison by turns measures at most
	budgetGiven  bool
	layouts      time.Duration // how long further layouts of the code are measured at most; 0: none are
	seed         uint64        // decides in which order the two sides take turns
	tries        int           // comparisons of each kind in a self-test

	html, markdown, junit string // files, or cli.Stdout
	github                bool
	json                  bool
	all                   bool // rows that weren't judged are shown
	quiet                 bool
}

// An outcome is what a way to judge returns.
type outcome struct {
	document    *report.Document
	verdict     results.Verdict
	interrupted bool // the command was interrupted while it looked for the cause of a regression
}

// New returns the command gate.
func New(c cli.Console) *cobra.Command {
	g := gate{Console: c, reports: c}
	cmd := &cobra.Command{
		Use: "gate [SCENARIO|FILE.yaml ...] | gate --bench REGEX [--base REF] [PACKAGE ...] | " +
			"gate --base-command COMMAND --command COMMAND [SCENARIO|FILE.yaml ...]",
		Short: "Pass or fail a change: hold runs against a baseline, or against another revision",
		Long: `Holds runs against a baseline page, and passes only what was judged and is no worse.
With --run finished runs are judged; otherwise the baseline's scenarios, or those that
are named, are run now.

With --base the client of a git revision and that of the working tree are measured in
turns of a fraction of a second until it is decided: the way to judge times. The client
section of fleetmark.yaml says how they are built, in any git repository. With
--base-command and --command two programs are compared, wherever they come from: drivers of
a client, as app.Main makes them, or clients that are processes. --self-test has the gate
judge what it knows the answer of, and prints how often it was right on this machine.

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
  fleetmark gate --base-command ./push-1.4 --command ./push-1.5 --set client.processes=4
  fleetmark gate --self-test
  fleetmark gate --baseline BASELINE_METRICS.md --markdown gate.md --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.check(cmd); err != nil {
				return err
			}
			if g.html == cli.Stdout || g.markdown == cli.Stdout || g.junit == cli.Stdout {
				g.Out = g.Err // only reports go to standard output
			}
			ctx := cmd.Context()
			switch {
			case g.selfTest:
				return g.judgeItself(ctx, args)
			case g.bench != "" && g.base != "":
				return g.run(ctx, g.benchmarksByTurns, report.ModeBench, benchTitle(args), args)
			case g.bench != "":
				return g.run(ctx, g.benchmarksAgainstPage, report.ModeBench, benchTitle(args), args)
			case g.baseCommand != "":
				title := scenarioTitle(args, abtest.DefaultScenario)
				return g.run(ctx, g.commandsByTurns, report.ModeBase, title, args)
			case g.base != "":
				return g.run(ctx, g.byTurns, report.ModeBase, scenarioTitle(args, abtest.DefaultScenario), args)
			default:
				title := scenarioTitle(args, "scenarios of "+g.baseline)
				return g.run(ctx, g.againstPage, report.ModeBaseline, title, args)
			}
		},
	}
	g.define(cmd)
	return cmd
}

// scenarioTitle names the scenarios that are judged.
func scenarioTitle(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return strings.Join(names, ", ")
}

// define defines the flags.
func (g *gate) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&g.baseline, "baseline", baseline.FileName, "the page to hold runs against")
	flags.StringVar(&g.base, "base", "",
		"measure this git reference and the working tree by turns, and compare the two")
	flags.StringVar(&g.baseCommand, "base-command", "",
		"with --command: measure this program and that one by turns, and compare the two; no git is needed")
	flags.StringVar(&g.command, "command", "",
		"with --base-command: the program that is compared with that one, with its arguments")
	flags.StringVar(&g.bench, "bench", "",
		"compare the Go benchmarks that this regular expression matches: "+
			"with --base two revisions, without it with the page")
	flags.StringVar(&g.cpu, "cpu", "",
		"with --base and --bench: measure at these values of GOMAXPROCS, such as 1,2 (default the current one)")
	flags.DurationVar(&g.benchTimeout, "bench-timeout", gobench.DefaultLimit,
		"with --base and --bench: how long one benchmark may take in one process")
	flags.StringArrayVar(&g.runs, "run", nil, "judge this finished run directory instead of running (repeatable)")
	flags.BoolVar(&g.portable, "portable", false,
		"ask only for what means the same on any machine: counts, bytes, outcomes, allocations")
	flags.BoolVar(&g.selfTest, "self-test", false,
		"show that the gate passes what is unchanged and catches what is worse, on this machine")
	flags.DurationVar(&g.budget, "budget", abtest.DefaultBudget,
		"with --base or --self-test: how long one comparison measures at most "+
			"(with --bench by default 25s a benchmark, at least 1m40s, at most 30m)")
	flags.DurationVar(&g.layouts, "layout-budget", abtest.DefaultLayoutBudget,
		"with --base: how long further layouts of the code are measured at most before a time is called regressed; "+
			"0 trusts the one that the linker made")
	flags.BoolVar(&g.noExplain, "no-explain", false,
		"with --base: don't profile both sides after a regression to say which function it is")
	flags.Uint64Var(&g.seed, "seed", 1, "with --base or --self-test: of the order in which the two sides take turns")
	flags.IntVar(&g.tries, "tries", 10, "with --self-test: comparisons of each kind that has noise")
	flags.StringArrayVar(&g.sets, "set", nil,
		"KEY=VALUE: set any field of the scenarios that are run, as run --set does")
	flags.StringVar(&g.out, "out", "runs", "where run directories are made")
	flags.StringVar(&g.html, "html", "",
		"write one HTML page to this file (- is standard output, for this and the others), plots and all")
	flags.StringVar(&g.markdown, "markdown", "",
		"write a pull request's comment to this file: the verdict first, the rest folded")
	flags.StringVar(&g.junit, "junit", "", "write JUnit XML to this file")
	flags.BoolVar(&g.github, "github", false,
		"append to $GITHUB_STEP_SUMMARY and print annotations, in a step of GitHub Actions")
	flags.BoolVar(&g.json, "json", false, "print a JSON object instead of tables")
	cli.AllFlag(flags, &g.all)
	flags.BoolVar(&g.quiet, "no-progress", false, "show no progress")
}

// check returns an error for flags that contradict each other and files that can't be written,
// before the gate measures for minutes.
func (g *gate) check(cmd *cobra.Command) error {
	err := cli.RejectEmpty(cmd,
		"base", "base-command", "command", "bench", "cpu", "baseline", "out", "html", "markdown", "junit")
	if err != nil {
		return err
	}
	for _, dir := range g.runs {
		if dir == "" {
			return cli.Usagef("--run: is empty; name a run directory")
		}
	}
	const judgesGate = "it judges the gate, and no change"
	changed := cmd.Flags().Changed
	for _, pair := range []struct{ one, others, why string }{
		{"base", "baseline", "old and new are held against each other, or new against a page"},
		{"base", "run", "both sides are measured anew"},
		{"base", "portable", "both sides are measured on this machine, so that times can be judged"},
		{"base-command", "base", "two programs are compared, or two revisions"},
		{"base-command", "bench", "two programs are compared, or the Go benchmarks of two revisions"},
		{"base-command", "baseline", "old and new are held against each other, or new against a page"},
		{"base-command", "run", "both sides are measured anew"},
		{"base-command", "portable", "both sides are measured on this machine, so that times can be judged"},
		{"self-test", "baseline run base base-command bench", judgesGate},
		{"bench", "set", "a benchmark has no scenario"},
		{"bench", "run", "a finished run has scenarios, and no benchmarks"},
		{"self-test", "html markdown junit github portable all no-explain", judgesGate},
		{"run", "no-explain set", "a finished run is as it is"},
		{"run", "out", "a finished run is where it is"},
	} {
		for other := range strings.FieldsSeq(pair.others) {
			if changed(pair.one) && changed(other) {
				return cli.Usagef("--%s and --%s: %s; leave one of the two out", pair.one, other, pair.why)
			}
		}
	}
	if changed("base-command") != changed("command") {
		return cli.Usagef("--base-command and --command: each is compared with the other: give both")
	}
	if g.noExplain && g.base == "" && g.baseCommand == "" {
		return cli.Usagef("--no-explain: only --base and --base-command look for causes: leave it out")
	}
	if (g.bench == "" || g.base == "") && (changed("cpu") || changed("bench-timeout")) {
		return cli.Usagef("--cpu and --bench-timeout: are for --base with --bench: leave them out")
	}
	g.budgetGiven, g.pageGiven = changed("budget"), changed("baseline")
	if err := cli.CheckBetween("bench-timeout", g.benchTimeout, time.Second, 24*time.Hour); err != nil {
		return err
	}
	taken := ""
	if g.github {
		taken = "github"
		if err := cli.CheckGitHub(); err != nil {
			return err
		}
		if g.json {
			return cli.Usagef("--github and --json: both print on standard output; leave one of the two out")
		}
	} else if g.json {
		taken = "json"
	}
	if err := cli.CheckBetween("budget", g.budget, time.Second, 24*time.Hour); err != nil {
		return err
	}
	if g.layouts < 0 || g.layouts > 24*time.Hour {
		return cli.Usagef("--layout-budget %v: want 0 to 24h", g.layouts)
	}
	if changed("layout-budget") && g.base == "" && g.baseCommand == "" {
		return cli.Usagef("--layout-budget: only --base links both sides again: leave it out")
	}
	if g.tries < 1 || g.tries > 1000 {
		return cli.Usagef("--tries %d: want 1 to 1000", g.tries)
	}
	return cli.CheckOutputs(cmd, taken, "html", "markdown", "junit")
}

// run judges in one of the ways and shows the outcome. Its error carries the exit code.
func (g *gate) run(
	ctx context.Context, way func(context.Context, []string) (*outcome, error), mode report.Mode, title string,
	args []string,
) error {
	out, err := way(ctx, args)
	if err != nil {
		return g.reportEnding(ctx, mode, title, err)
	}
	d := out.document
	word := string(d.Verdict)
	if word == "" {
		word = "no verdict"
	}
	err = cli.VerdictError(out.verdict, word+": "+d.Reason)
	d.ExitCode = cli.CodeOf(err)
	if err := g.show(d); err != nil {
		return err
	}
	if out.interrupted {
		text := fmt.Sprintf("interrupted while the cause was looked for; the verdict stands: %s: %s",
			d.Verdict, d.Reason)
		return &cli.ExitError{Code: cli.ExitInterrupted, Text: text}
	}
	return err
}

// show writes the reports that were asked for, and then prints the document. If a report can't be
// written, it prints nothing: nobody should rely on a verdict of which a report is missing.
func (g *gate) show(d *report.Document) error {
	printed, err := cli.Render(d, cli.PrintedForm(g.Out, g.json, g.all))
	if err != nil {
		return err
	}
	if err := g.writeReports(d); err != nil {
		return err
	}
	return g.Write(printed)
}

// writeReports writes the document to every file that was asked for.
func (g *gate) writeReports(d *report.Document) error {
	forms := []cli.Form{
		cli.HTMLForm(g.html, "gate"),
		{Flag: "markdown", File: g.markdown, Render: report.Comment},
		{Flag: "junit", File: g.junit, Render: ci.JUnit},
	}
	if g.github {
		forms = append(forms, cli.GitHubForms()...)
	}
	outputs, err := cli.Render(d, forms...)
	if err != nil {
		return err
	}
	return g.reports.Write(outputs)
}

// reportEnding writes all reports of a gate that ended without a verdict, and returns the error
// that ended it. A report that was asked for is written even if nothing was built, measured or
// finished.
func (g *gate) reportEnding(ctx context.Context, mode report.Mode, title string, cause error) error {
	text, code := cause.Error(), cli.CodeOf(cause)
	if interrupted(ctx, cause) {
		text, code = "interrupted: nothing is judged", cli.ExitInterrupted
		if !errors.Is(cause, context.Canceled) {
			text += "\n" + cause.Error()
		}
	}
	lines := strings.Split(text, "\n")
	var detail []string
	for _, line := range lines[1:] {
		detail = append(detail, strings.TrimSpace(line))
	}
	d := report.NotJudged(mode, report.Input{
		Scenario: title, Judgement: judge.NotPossible(lines[0]), Notes: detail,
		Command: g.CommandLine(), Measured: time.Now().UTC(),
	})
	d.ExitCode = code
	err := g.writeReports(d)
	if g.json {
		err = errors.Join(err, report.JSON(g.Out, d))
	}
	return errors.Join(cause, err)
}

// interrupted reports whether an interruption ended the gate, with an error that doesn't say so
// itself. The command then says it, and exits 130.
func interrupted(ctx context.Context, err error) bool {
	_, said := errors.AsType[*cli.ExitError](err)
	return ctx.Err() != nil && err != nil && !said
}

package gatecmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// byTurns measures the client of a revision and of the working tree by turns.
func (g *gate) byTurns(ctx context.Context, names []string) (*outcome, error) {
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = here.GateScenarios()
	}
	o, err := g.turns(names)
	if err != nil {
		return nil, err
	}
	if o.Tolerances, err = tolerancesOf(here); err != nil {
		return nil, err
	}
	client := here.Config.Client
	processes := 0 // scenarios whose client is a process or a service
	for i := range o.Specs {
		spec := &o.Specs[i]
		if !spec.Client.IsOutside() && client.Command != nil {
			spec.Client.Command, spec.Client.Directory = client.Command, filepath.Dir(here.File)
			if err := spec.Validate(); err != nil {
				return nil, fmt.Errorf("scenario %s, with client.command of %s: %w", spec.Name, here.File, err)
			}
		}
		if spec.Client.IsOutside() {
			processes++
		}
	}
	isProcess := processes == len(o.Specs)
	if client.IsZero() && !isProcess {
		return nil, noClient(here)
	}
	o.Own, o.Within = here.OwnFunctions(), here.ClientFunctions()
	source := abtest.Revision{Ref: g.base, Project: abtest.Project{
		Dir: cmp.Or(here.Root, "."), Build: client.Build, Packages: client.Packages,
		Process: isProcess, AnyProcess: processes > 0,
	}}
	found, how, err := g.compare(ctx, o, source)
	if err != nil {
		return nil, err
	}
	base, now := found.Builds.BaseTree, found.Builds.NowTree
	how.Base, how.Now, how.Client = base.Commit, now.Revision(), clientTitle(client)
	how.BaseState, how.NowState, how.Changed = base.State(), now.State(), now.Changed
	return g.comparison(ctx, names, found, how), nil
}

// tolerancesOf returns the tolerances that a project's fleetmark.yaml gives.
func tolerancesOf(here project.Project) (results.Tolerances, error) {
	all := results.Tolerances{}
	var errs []error
	for _, t := range here.Config.Gate.Tolerances {
		all[t.Metric] = t.Share
		if err := all.Check(t.Metric); err != nil {
			errs = append(errs, cli.Usagef("%s: %v", t.Where, err))
		}
	}
	return all, errors.Join(errs...)
}

// noClient returns the error for a project whose fleetmark.yaml doesn't say what is compared.
func noClient(here project.Project) error {
	if here.Root == "" {
		return cli.Usagef("--base: no git repository here or in a directory above: " +
			"run it in the project whose client is to be compared")
	}
	problem := "there is no " + project.ConfigFile + " here"
	if here.File != "" {
		problem = here.File + " has no client"
	}
	return cli.Usagef("--base: %s, and a scenario has neither client.command nor client.service, "+
		"so nothing says what is compared: want one of client.build and client.command in %s at the root, "+
		"as fleetmark init writes it",
		problem, project.ConfigFile)
}

// clientTitle says in a few words what of a revision is compared.
func clientTitle(c project.Client) string {
	switch {
	case len(c.Packages) > 0:
		var all []string
		for _, p := range c.Packages {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(p, "./"), "/..."))
		}
		return strings.Join(all, ", ")
	case c.Command != nil && !strings.Contains(c.Command[0], "{out}"):
		return shell.Join(c.Command...)
	case c.Build != "":
		return "the program"
	}
	return "the client"
}

// commandsByTurns measures two commands by turns.
func (g *gate) commandsByTurns(ctx context.Context, names []string) (*outcome, error) {
	var source abtest.Commands
	for _, c := range []struct {
		flag, line string
		words      *[]string
	}{{"base-command", g.baseCommand, &source.Base}, {"command", g.command, &source.Now}} {
		words, err := shell.Split(c.line)
		if err != nil {
			return nil, cli.Usagef("--%s %s: %v", c.flag, c.line, err)
		}
		*c.words = words
	}
	o, err := g.turns(names)
	if err != nil {
		return nil, err
	}
	o.Own = abtest.CommandFunctions(source)
	found, how, err := g.compare(ctx, o, source)
	if err != nil {
		return nil, err
	}
	how.Base, how.Now, how.BaseState, how.NowState = g.baseCommand, g.command, g.baseCommand, g.command
	how.Restarted = true
	return g.comparison(ctx, names, found, how), nil
}

// compare measures the two sides of a source by turns. It returns what is known of how that was done.
func (g *gate) compare(
	ctx context.Context, o abtest.Options, source abtest.Source,
) (found *abtest.Comparison, how report.ABTest, err error) {
	view := progress.NewLine(g.Err, g.quiet)
	defer view.Close()
	o.Progress = view.Progress
	found, err = abtest.CompareWith(ctx, abtest.CompareOptions{
		Options: o, Source: source, Out: g.out, Explain: !g.noExplain, Log: view.Println,
	})
	if err != nil {
		return nil, how, err
	}
	how = report.ABTest{
		Scenarios: found.Scenarios, Harness: found.Builds.Harness, Shared: found.Builds.Shared,
		Differences: checkout.Texts(found.Builds.Differences),
		Pairs:       found.Pairs, Dropped: found.Dropped, Elapsed: found.Elapsed,
		Layouts: found.Layouts, LayoutsElapsed: found.LayoutsElapsed, LayoutsErr: found.Relinking,
		Stacks: found.Stacks, Unexplained: found.Unexplained,
	}
	if found.Failed != nil {
		how.Failed = found.Failed.Side
	}
	return found, how, nil
}

// comparison returns the outcome of a comparison of scenarios.
func (g *gate) comparison(ctx context.Context, names []string, found *abtest.Comparison, how report.ABTest) *outcome {
	in := report.Input{
		Scenario: scenarioTitle(names, abtest.DefaultScenario), Judgement: found.Judgement,
		Base: report.Side{Records: found.Base, Revision: how.Base}, Now: report.Side{Records: found.Now, Revision: how.Now},
	}
	for _, c := range found.Causes {
		in.Causes = append(in.Causes, report.Cause(c))
	}
	return g.turnsOutcome(ctx, report.ModeBase, in, how)
}

// benchmarksByTurns measures the Go benchmarks of a revision and of the working tree by turns.
func (g *gate) benchmarksByTurns(ctx context.Context, packages []string) (_ *outcome, err error) {
	title := benchTitle(packages)
	procs, err := parseProcs(g.cpu)
	if err != nil {
		return nil, err
	}
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	packages, dir := benchPackages(here, packages)
	work, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	view := progress.NewLine(g.Err, g.quiet)
	defer view.Close()
	o := gobench.Options{
		Dir: dir, Base: g.base, Bench: g.bench, Packages: packages, Better: here.Config.Better(), Procs: procs,
		Limit: g.benchTimeout, LayoutBudget: g.layouts, Seed: g.seed, Scratch: work.Path,
		Out: filepath.Join(g.out, time.Now().UTC().Format("20060102T150405Z")+"-gate-bench"), Log: view.Println,
		Progress: func(p gobench.Progress) {
			after := plaintext.Count(p.Rounds, "round")
			if p.Layouts > 0 {
				after = plaintext.Count(p.Layouts, "further layout") + " of the code"
			}
			view.Update(fmt.Sprintf("%d of %d benchmarks undecided after %s, %.0f s of %.0f s at most",
				p.Open, p.Benchmarks, after, p.Elapsed.Seconds(), p.Budget.Seconds()), p.Elapsed)
		},
	}
	if g.budgetGiven {
		o.Budget = g.budget
	}
	found, err := gobench.Compare(ctx, o)
	if mistake, ok := errors.AsType[*checkout.Error](err); ok && mistake.Option != "" {
		mistake.Option = "--" + strings.ToLower(mistake.Option)
	}
	if err != nil {
		return nil, err
	}
	view.Close()
	in := report.Input{
		Scenario: title, Judgement: found.Judgement,
		Base: report.Side{Records: found.Base, Revision: found.BaseTree.Commit},
		Now:  report.Side{Records: found.Now, Revision: found.NowTree.Revision()},
	}
	how := report.ABTest{
		Base: found.BaseTree.Commit, Now: found.NowTree.Commit, BaseState: found.BaseTree.State(),
		NowState: found.NowTree.State(), Changed: found.NowTree.Changed, Differences: found.Differences,
		Warnings: found.Warnings, Benchmarks: found.Benchmarks, Rounds: found.Rounds, Elapsed: found.Elapsed,
		Samples: found.Samples,
		Layouts: found.Layouts, LayoutsElapsed: found.LayoutsElapsed, LayoutsErr: found.Relinking,
	}
	if found.Judgement.Verdict == results.Regressed && !g.noExplain {
		causes, err := found.Explain(ctx, o.Out, abtest.LogPairs(view.Println))
		how.Unexplained = err
		for _, e := range causes {
			in.Causes = append(in.Causes, report.Cause{
				Scenario: e.Short(), Kind: e.Kind, Dir: e.Dir, Flame: e.Flame, FlameErr: e.FlameErr,
				Explanation: e.Explanation,
			})
		}
	}
	return g.turnsOutcome(ctx, report.ModeBench, in, how), nil
}

// turnsOutcome completes the document about two sides that were measured by turns. If ctx has
// ended, the command was interrupted while it looked for a cause: the verdict is known, and shown.
func (g *gate) turnsOutcome(ctx context.Context, mode report.Mode, in report.Input, how report.ABTest) *outcome {
	if machine, err := results.ThisMachine(context.WithoutCancel(ctx)); err == nil {
		how.Machine = &machine
	}
	in.Command, in.Measured = g.CommandLine(), time.Now().UTC()
	in.Base.Label, in.Base.Machine = cmp.Or(g.base, "base"), how.Machine
	in.Now.Label, in.Now.Machine = "now", how.Machine
	d := report.FromABTest(mode, in, how)
	return &outcome{document: d, verdict: in.Judgement.Verdict, interrupted: ctx.Err() != nil}
}

// turns returns the options of a comparison whose sides are yet to be built.
func (g *gate) turns(names []string) (abtest.Options, error) {
	if len(names) == 0 {
		names = []string{abtest.DefaultScenario}
	}
	specs, err := batch.ResolveDistinct(names, g.sets)
	if err != nil {
		return abtest.Options{}, err
	}
	fleet, err := cli.FleetCommand()
	return abtest.Options{
		Specs: specs, FleetCommand: fleet, Budget: g.budget, LayoutBudget: g.layouts,
		Seed: g.seed, Stderr: g.Err,
	}, err
}

// parseProcs reads a list such as "1,2,4".
func parseProcs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var procs []int
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > 4096 {
			return nil, cli.Usagef("--cpu %q: want numbers of processors such as 1,2,4", list)
		}
		procs = append(procs, n)
	}
	return procs, nil
}

// judgeItself runs the gate on two sides that are equal and on two of which one is made worse, and
// shows how often it was right.
func (g *gate) judgeItself(ctx context.Context, names []string) error {
	tried, err := g.trySelf(ctx, names)
	if problems := abtest.Problems(tried); problems != nil {
		err = errors.Join(err, cli.VerdictError(results.Invalid, "self-test: "+strings.Join(problems, "; ")))
	}
	if g.json {
		return errors.Join(g.printCases(ctx, tried, err), err)
	}
	if !slices.ContainsFunc(tried, func(k abtest.CaseResult) bool { return len(k.Pairs) > 0 }) && err != nil {
		return err // without a table that has no rows
	}
	return errors.Join(g.showCases(tried), err)
}

// trySelf runs the cases of a self-test. After an error it returns those that were run.
func (g *gate) trySelf(ctx context.Context, names []string) ([]abtest.CaseResult, error) {
	o, err := g.turns(names)
	if err != nil {
		return nil, err
	}
	o.Builds = abtest.Builds{Base: abtest.Side{Program: o.FleetCommand[0]}, Now: abtest.Side{Program: o.FleetCommand[0]}}
	view := progress.NewLine(g.Err, g.quiet)
	defer view.Close()
	o.Progress = view.Progress
	cases := abtest.SelfTestCases(g.tries)
	all, n := 0, 0
	for _, k := range cases {
		all += k.Runs
	}
	view.Prefix = fmt.Sprintf("run 1 of %d: ", all)
	return abtest.SelfTest(ctx, o, cases, func(k abtest.Case, out *abtest.Outcome) {
		n++
		view.Println(fmt.Sprintf("%s: %s after %d pairs, %.0f s",
			k.Name, out.Judgement.Verdict, out.Pairs, out.Elapsed.Seconds()))
		view.Prefix = fmt.Sprintf("run %d of %d: ", n+1, all)
	})
}

// selfTestJSON is what `gate --self-test --json` prints.
type selfTestJSON struct {
	Cases       []caseJSON `json:"cases"` // empty if the test could not begin
	FalseAlarms float64    `json:"stated_false_alarms"`
	ExitCode    int        `json:"exit_code"`
	Reason      string     `json:"reason,omitempty"` // why the exit code isn't 0
}

// caseJSON is a row of what `gate --self-test --json` prints.
type caseJSON struct {
	Case      string                  `json:"case"`
	Worse     bool                    `json:"worse"`
	Runs      int                     `json:"runs"`
	Verdicts  map[results.Verdict]int `json:"verdicts"`
	Regressed float64                 `json:"regressed"` // share of the runs, 0 to 1
	Low       float64                 `json:"low"`       // of its 95% interval
	High      float64                 `json:"high"`
	Seconds   []float64               `json:"seconds"`
	Measured  []float64               `json:"measured_push_cpu"` // relative change of a push's processor time
}

// printCases prints how often the gate was right, and what ended the test, as JSON.
func (g *gate) printCases(ctx context.Context, tried []abtest.CaseResult, err error) error {
	object := selfTestJSON{Cases: []caseJSON{}, FalseAlarms: abtest.FalseAlarmRate, ExitCode: cli.CodeOf(err)}
	switch {
	case interrupted(ctx, err):
		object.ExitCode, object.Reason = cli.ExitInterrupted, "interrupted"
	case err != nil:
		object.Reason = err.Error()
	}
	for _, k := range tried {
		rate, low, high := k.Rate()
		object.Cases = append(object.Cases, caseJSON{
			k.Name, k.Worse(), len(k.Pairs), k.Verdicts, rate, low, high, k.Seconds, k.Deltas,
		})
	}
	return json.NewEncoder(g.Out).Encode(object)
}

// showCases prints how often the gate was right, as a table.
func (g *gate) showCases(tried []abtest.CaseResult) error {
	t := texttable.Table{
		Header: []string{
			"planted", "runs", "verdicts", "called regressed (95%)", "median time", "push cpu-ns/op found",
		},
		Align:    "lrllll",
		Fold:     []texttable.Fold{{Cut: 1, End: true}, {Rank: 2}, {Rank: 1}, {}, {Rank: 3}, {Rank: 4}},
		Ruleless: true,
	}
	for _, k := range tried {
		if len(k.Seconds) == 0 {
			continue
		}
		rate, low, high := k.Rate()
		found := ""
		if len(k.Deltas) > 0 {
			found = fmt.Sprintf("%+.1f%% (median)", 100*upperMedian(k.Deltas))
		}
		t.Rows = append(t.Rows, []string{
			k.Name, strconv.Itoa(len(k.Pairs)), verdictsText(k.Verdicts),
			fmt.Sprintf("%.0f%% (%.0f%% to %.0f%%)", 100*rate, 100*low, 100*high),
			fmt.Sprintf("%.0f s", upperMedian(k.Seconds)), found,
		})
	}
	return cli.TableStyle(g.Out).Write(g.Out, t)
}

// upperMedian returns the median of values. For an even number of values, it returns the larger of
// the two in the middle.
func upperMedian(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// verdictsText returns text such as "1 regressed, 9 pass".
func verdictsText(counts map[results.Verdict]int) string {
	var list []string
	for _, v := range []results.Verdict{
		results.Regressed, results.Improved, results.Pass, results.Inconclusive, results.Invalid,
	} {
		if n := counts[v]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(list, ", ")
}

package gatecmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// byTurns measures the delivery packages of a revision and of the working tree by turns.
func (g *gate) byTurns(ctx context.Context, names []string) (*outcome, error) {
	o, err := g.turns(names)
	if err != nil {
		return nil, err
	}
	view := progress.NewLine(g.Err, g.quiet)
	defer view.Close()
	o.Progress = view.Progress
	found, err := versus.CompareWith(ctx, versus.CompareOptions{
		Options: o, Ref: g.base, Out: g.out, Explain: !g.noExplain, Log: view.Println,
	})
	if err != nil {
		return nil, err
	}
	base, now := found.Sides.BaseTree, found.Sides.NowTree
	how := report.ABTest{
		Scenarios: found.Scenarios, Base: base.Commit, Now: now.Revision(), Harness: found.Sides.Harness,
		Shared: found.Sides.Shared, Differences: checkout.Texts(found.Sides.Differences),
		Pairs: found.Pairs, Dropped: found.Dropped, Elapsed: found.Elapsed,
		Layouts: found.Layouts, LayoutsElapsed: found.LayoutsElapsed, LayoutsErr: found.Relinking,
		Stacks: found.Stacks, Unexplained: found.Unexplained,
	}
	if found.Failed != nil {
		how.Failed = found.Failed.Side
	}
	in := report.Input{
		Scenario: scenarioTitle(names, versus.DefaultScenario), Judgement: found.Judgement,
		Base: report.Side{Records: found.Base}, Now: report.Side{Records: found.Now},
	}
	for _, c := range found.Causes {
		in.Causes = append(in.Causes, report.Cause(c))
	}
	return g.turnsOutcome(ctx, report.ModeBase, in, how, base, now), nil
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
	if err != nil {
		return nil, err
	}
	view.Close()
	in := report.Input{
		Scenario: title, Judgement: found.Judgement,
		Base: report.Side{Records: found.Base}, Now: report.Side{Records: found.Now},
	}
	how := report.ABTest{
		Base: found.BaseTree.Commit, Now: found.NowTree.Commit, Differences: found.Differences,
		Warnings: found.Warnings, Benchmarks: found.Benchmarks, Rounds: found.Rounds, Elapsed: found.Elapsed,
		Samples: found.Samples,
		Layouts: found.Layouts, LayoutsElapsed: found.LayoutsElapsed, LayoutsErr: found.Relinking,
	}
	if found.Judgement.Verdict == results.Regressed && !g.noExplain {
		causes, err := found.Explain(ctx, o.Out, versus.LogPairs(view.Println))
		how.Unexplained = err
		for _, e := range causes {
			in.Causes = append(in.Causes, report.Cause{
				Scenario: e.Short(), Kind: e.Kind, Dir: e.Dir, Flame: e.Flame, FlameErr: e.FlameErr,
				Explanation: e.Explanation,
			})
		}
	}
	return g.turnsOutcome(ctx, report.ModeBench, in, how, found.BaseTree, found.NowTree), nil
}

// turnsOutcome completes what a document says of two trees that were measured by turns. If ctx has
// ended, a cause was being looked for: the verdict is known, and shown.
func (g *gate) turnsOutcome(
	ctx context.Context, mode report.Mode, in report.Input, how report.ABTest, base, now *checkout.Tree,
) *outcome {
	how.BaseState, how.NowState, how.Changed = base.State(), now.State(), now.Changed
	if machine, err := results.ThisMachine(context.WithoutCancel(ctx)); err == nil {
		how.Machine = &machine
	}
	in.Command, in.Measured = g.CommandLine(), time.Now().UTC()
	in.Base.Label, in.Base.Revision, in.Base.Machine = g.base, base.Commit, how.Machine
	in.Now.Label, in.Now.Revision, in.Now.Machine = "now", now.Revision(), how.Machine
	d := report.FromABTest(mode, in, how)
	return &outcome{document: d, verdict: in.Judgement.Verdict, interrupted: ctx.Err() != nil}
}

// turns returns the options of a comparison whose sides are yet to be built.
func (g *gate) turns(names []string) (versus.Options, error) {
	if len(names) == 0 {
		names = []string{versus.DefaultScenario}
	}
	specs, err := batch.ResolveDistinct(names, g.sets)
	if err != nil {
		return versus.Options{}, err
	}
	fleet, err := cli.FleetCommand()
	return versus.Options{
		Specs: specs, FleetCommand: fleet, Budget: g.budget, Layouts: g.layouts > 0, LayoutBudget: g.layouts,
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

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// gateBaseline holds finished runs, or runs of now, against the baseline page, and shows the verdict. Its
// error carries the exit code.
func gateBaseline(cmd *cobra.Command, f *gateFlags, names []string, c cli.Console) error {
	found, err := f.againstPage(cmd.Context(), names, c)
	if err != nil {
		title := strings.Join(names, ", ")
		if title == "" {
			title = "scenarios of " + f.baseline
		}
		return f.tellEnding(cmd.Context(), report.ModeBaseline, title, c, err)
	}
	d := found.document(f)
	if err := f.show(d, c); err != nil {
		return err
	}
	return verdictError(d)
}

// document returns what there is to report.
func (h *heldRuns) document(f *gateFlags) *report.Document {
	var sides []report.Side
	for _, run := range h.runs {
		side := report.RunSide(*run.Loaded)
		side.Read()
		sides = append(sides, side)
	}
	d := report.FromGate(h.GateResult, h.base, sides, report.GateFacts{Portable: f.portable, Baseline: f.baseline, Revision: h.base.Revision})
	d.ExitCode = cli.CodeOfVerdict(h.Verdict)
	return d
}

// A heldRuns is what came of runs that were held against a baseline page.
type heldRuns struct {
	*judge.GateResult
	base *baseline.Page
	runs []judgedRun
}

// A judgedRun is a run as its directory has it, and the judgement of it.
type judgedRun struct {
	*rundir.Loaded
	judgement *judge.Judgement
}

// againstPage loads or measures the runs, and judges them by the page.
func (f *gateFlags) againstPage(ctx context.Context, names []string, c cli.Console) (*heldRuns, error) {
	base, err := baseline.Read(f.baseline)
	if err != nil {
		return nil, err
	}
	better, err := declaredUnits()
	if err != nil {
		return nil, err
	}
	policy := judge.Policy{Unjudged: judge.RequireEveryMetric, Portable: f.portable, Outcomes: true, Better: better}
	var wanted []string
	var runs []judgedRun
	if len(f.runs) > 0 {
		if wanted, err = scenarioNames(names); err != nil {
			return nil, err
		}
		runs, err = f.load(wanted, base, policy)
	} else {
		var specs []scenarios.Spec
		if specs, err = f.specs(base, names); err != nil {
			return nil, err
		}
		for _, s := range specs {
			wanted = append(wanted, s.Name)
		}
		runs, err = f.measure(ctx, base, policy, specs, c)
	}
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // an interrupted command judges nothing
		return nil, err
	}
	return &heldRuns{gate(base, wanted, runs), base, runs}, nil
}

// gate returns what judged runs come to together.
func gate(base *baseline.Page, wanted []string, runs []judgedRun) *judge.GateResult {
	var all []judge.ScenarioResult
	for _, r := range runs {
		all = append(all, judge.ScenarioResult{Scenario: r.Scenario, Run: r.Path, Revision: r.Revision, Judgement: r.judgement})
	}
	return judge.Gate(base, wanted, all)
}

// scenarioNames are what the scenarios are called that names or files stand for. A name
// that the catalogue lacks may be of a file that is no longer there.
func scenarioNames(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if !slices.Contains(scenarios.Names(), name) && !strings.ContainsAny(name, `./\`) {
			all = append(all, name)
			continue
		}
		_, members, err := scenarios.Members(name)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			s, err := scenarios.Find(m)
			if err != nil {
				return nil, err
			}
			all = append(all, s.Name)
		}
	}
	return all, nil
}

// load reads and judges the runs that --run names. One of a scenario that wasn't asked for is a
// mistake of the command line.
func (f *gateFlags) load(wanted []string, base *baseline.Page, policy judge.Policy) ([]judgedRun, error) {
	var runs []judgedRun
	for _, dir := range f.runs {
		run, err := rundir.Load(dir)
		if err != nil {
			return nil, err
		}
		if err := run.CheckIntact(); err != nil {
			return nil, err
		}
		if len(wanted) > 0 && !slices.Contains(wanted, run.Scenario) {
			return nil, cli.Usagef("--run %s: is of the scenario %s, and %s was asked for: leave one of the two out", dir, run.Scenario, strings.Join(wanted, ", "))
		}
		for _, other := range runs {
			if same(other.Path, run.Path) {
				return nil, cli.Usagef("--run %s: is given twice", dir)
			}
		}
		runs = append(runs, judgedRun{run, judge.Judge(base, run.Run, run.Records, policy)})
	}
	return runs, nil
}

// same reports whether two paths are of one directory.
func same(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// specs are the scenarios to run: those that are named, or the baseline's.
func (f *gateFlags) specs(base *baseline.Page, names []string) ([]scenarios.Spec, error) {
	if len(names) == 0 {
		for _, s := range base.Scenarios {
			if !slices.Contains(scenarios.Names(), s.Name) {
				return nil, cli.Usagef("%s has the scenario %s, which the catalogue lacks: name its file, or a finished run with --run", f.baseline, s.Name)
			}
			names = append(names, s.Name)
		}
	}
	return changedSpecs(names, f.sets)
}

// measure runs and judges the scenarios, once it is sure that the baseline can judge each.
func (f *gateFlags) measure(
	ctx context.Context, base *baseline.Page, policy judge.Policy, specs []scenarios.Spec, c cli.Console,
) ([]judgedRun, error) {
	for _, s := range specs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, ok := base.Scenario(s.Name)
		if !ok {
			return nil, cli.Usagef("%s doesn't have the scenario %s, so nothing was run: `fleetmark baseline --from RUN` takes it up", f.baseline, s.Name)
		}
		digest, err := s.WorkloadDigest(ctx)
		if err != nil {
			return nil, err
		}
		if digest != old.WorkloadDigest {
			return nil, cli.Usagef("scenario %s isn't what %s was measured with (%s), so nothing was run: run that, or measure the baseline anew", s.Name, f.baseline, old.Command)
		}
	}
	form := progress.Auto
	if f.quiet {
		form = progress.None
	}
	session, err := newSession(ctx, c, f.out, form)
	if err != nil {
		return nil, err
	}
	session.base, session.policy = base, policy
	var runs []judgedRun
	for _, s := range specs {
		m, err := session.measure(ctx, scenarios.Options{Spec: s, Command: commandLine(os.Args[1:])})
		if m == nil {
			return nil, err
		}
		if m.Run.Status == results.StatusInterrupted {
			said := &cli.ExitError{Code: cli.ExitInterrupted, Text: "interrupted: nothing is judged; what was measured is in " + m.Directory}
			return nil, errors.Join(said, err)
		}
		if err != nil {
			return nil, m.broken(fmt.Errorf("%s: %w", m.Directory, err))
		}
		run, err := rundir.Load(m.Directory) // what others will find
		if err != nil {
			return nil, err
		}
		if err := run.CheckIntact(); err != nil {
			return nil, err
		}
		runs = append(runs, judgedRun{run, m.judgement})
	}
	return runs, nil
}

package gatecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A judgedRun is a run as loaded from its directory, with its judgment.
type judgedRun struct {
	*rundir.Loaded
	judgement *judge.Judgement
}

// againstPage compares finished runs, or scenarios that it runs, with the baseline page.
func (g *gate) againstPage(ctx context.Context, names []string) (*outcome, error) {
	base, err := baseline.Read(g.baseline)
	if err != nil {
		return nil, err
	}
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	tolerances, err := tolerancesOf(here)
	if err != nil {
		return nil, err
	}
	policy := judge.Policy{
		Tolerances: tolerances,
		Unjudged:   judge.RequireEveryMetric, Portable: g.portable, Outcomes: true, Better: here.Config.Better(),
	}
	find := g.measure
	if len(g.runs) > 0 {
		find = g.load
	}
	wanted, runs, err := find(ctx, names, base, policy)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // an interrupted command judges nothing
		return nil, err
	}
	var judged []judge.ScenarioResult
	var sides []report.Side
	for _, r := range runs {
		judged = append(judged, judge.ScenarioResult{
			Scenario: r.Scenario, Run: r.Path, Revision: r.Revision, Judgement: r.judgement,
		})
		side := report.RunSide(*r.Loaded)
		side.Read()
		sides = append(sides, side)
	}
	found := judge.Gate(base, wanted, judged)
	facts := report.GateFacts{Portable: g.portable, Baseline: g.baseline, Revision: base.Revision}
	return &outcome{document: report.FromGate(found, base, sides, facts), verdict: found.Verdict}, nil
}

// load reads and judges the runs that --run names. It returns a usage error for a run of a scenario
// that wasn't asked for.
func (g *gate) load(
	_ context.Context, names []string, base *baseline.Page, policy judge.Policy,
) (wanted []string, runs []judgedRun, err error) {
	if wanted, err = batch.Names(names); err != nil {
		return nil, nil, err
	}
	for _, dir := range g.runs {
		run, err := loadIntact(dir)
		if err != nil {
			return nil, nil, err
		}
		if len(wanted) > 0 && !slices.Contains(wanted, run.Scenario) {
			return nil, nil, cli.Usagef("--run %s: is of the scenario %s, and %s was asked for: "+
				"leave one of the two out",
				dir, run.Scenario, strings.Join(wanted, ", "))
		}
		if slices.ContainsFunc(runs, func(other judgedRun) bool { return sameFile(other.Path, run.Path) }) {
			return nil, nil, cli.Usagef("--run %s: is given twice", dir)
		}
		runs = append(runs, judgedRun{run, judge.Judge(base, run.Run, run.Records, policy)})
	}
	return wanted, runs, nil
}

// loadIntact loads a run. It returns an error if a file of the run is missing or incomplete.
func loadIntact(dir string) (*rundir.Loaded, error) {
	run, err := rundir.Load(dir)
	if err != nil {
		return nil, err
	}
	return run, run.CheckIntact()
}

// sameFile reports whether two paths are of one file.
func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// measure runs and judges the scenarios that are named, or the baseline's.
func (g *gate) measure(
	ctx context.Context, names []string, base *baseline.Page, policy judge.Policy,
) (wanted []string, runs []judgedRun, err error) {
	specs, err := g.specs(ctx, names, base)
	if err != nil {
		return nil, nil, err
	}
	var list []runner.Options
	for _, s := range specs {
		wanted = append(wanted, s.Name)
		list = append(list, runner.Options{Spec: s, Command: g.CommandLine()})
	}
	o, err := g.Batch(ctx, g.out, func() batch.View { return progress.New(g.Err, progress.ModeOf(g.quiet)) })
	if err != nil {
		return nil, nil, err
	}
	o.Baseline, o.Policy = base, policy
	done, err := cli.RunBatch(ctx, o, list, "nothing is judged")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range done {
		run, err := loadIntact(r.Directory) // from the files, as other commands read it
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, judgedRun{run, r.Judgement})
	}
	return wanted, runs, nil
}

// specs returns the scenarios to run: those that are named, or the baseline's. It returns an error
// if the baseline can't judge one of them.
func (g *gate) specs(ctx context.Context, names []string, base *baseline.Page) ([]scenarios.Spec, error) {
	if len(names) == 0 {
		for _, s := range base.Scenarios {
			if !slices.Contains(scenarios.CatalogNames(), s.Name) {
				return nil, cli.Usagef("%s has the scenario %s, which the catalog lacks: "+
					"name its file, or a finished run with --run",
					g.baseline, s.Name)
			}
			names = append(names, s.Name)
		}
	}
	specs, err := batch.ResolveDistinct(names, g.sets)
	if err != nil {
		return nil, err
	}
	for _, s := range specs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, ok := base.Scenario(s.Name)
		if !ok {
			return nil, cli.Usagef("%s doesn't have the scenario %s, so nothing was run: "+
				"`fleetmark baseline --from RUN` takes it up",
				g.baseline, s.Name)
		}
		digest, err := runner.WorkloadDigest(ctx, s)
		if err != nil {
			return nil, err
		}
		if digest != old.WorkloadDigest {
			return nil, cli.Usagef("scenario %s isn't what %s was measured with (%s), so nothing was run: "+
				"run that, or measure the baseline anew",
				s.Name, g.baseline, old.Command)
		}
	}
	return specs, nil
}

// pageSamples is how often each benchmark that a page judges is measured: enough for a test against
// the page's ten samples.
const pageSamples = 6

// benchmarksAgainstPage runs Go benchmarks with the flags that the page's benchmarks were measured
// with, and judges their allocations by the page.
func (g *gate) benchmarksAgainstPage(ctx context.Context, packages []string) (*outcome, error) {
	base, err := baseline.ReadBenchmarkFile(g.baseline)
	if errors.Is(err, fs.ErrNotExist) && !g.pageGiven {
		return nil, cli.Usagef("--bench: there is no %s here: "+
			"want --base REF beside it, to measure two revisions by turns",
			g.baseline)
	}
	if err != nil {
		return nil, err
	}
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	base.Declare(here.Config.Better())
	keep, err := g.matching(base)
	if err != nil {
		return nil, err
	}
	command := gobench.TestCommand{Run: g.bench, Count: pageSamples}
	command.Packages, command.Dir = benchPackages(here, packages)
	if command.BenchTime, err = pageBenchTime(g.baseline); err != nil {
		return nil, err
	}
	if g.budgetGiven {
		command.Limit = g.budget
	}
	now, err := g.measureBenchmarks(ctx, command)
	if err != nil {
		return nil, err
	}
	found := judge.CompareBenchmarks(base, now, keep, true)
	d := report.FromBenchmarkPage(report.Input{
		Scenario: "Go benchmarks of " + strings.Join(command.Packages, " "), Judgement: found.Judgement,
		Command: g.CommandLine(), Measured: time.Now().UTC(),
		Base:  report.Side{Label: g.baseline, Records: found.Base},
		Now:   report.Side{Revision: project.Revision(ctx), Records: found.Records},
		Notes: append([]string{"measured with " + command.String()}, now.Warnings...),
	}, report.GateFacts{Baseline: g.baseline, Command: command.String()})
	return &outcome{document: d, verdict: found.Verdict}, nil
}

// benchTitle names the benchmarks that are judged.
func benchTitle(packages []string) string {
	if len(packages) == 0 {
		packages = []string{"."}
	}
	return "Go benchmarks of " + strings.Join(packages, " ")
}

// benchPackages returns the packages whose benchmarks are judged, and the directory that their
// names are relative to. The command line names the packages. If it names none, fleetmark.yaml does;
// if that names none either, the package is ".".
func benchPackages(here project.Project, named []string) (packages []string, dir string) {
	if len(named) > 0 {
		return named, ""
	}
	if packages = here.Config.BenchmarkPackages(); len(packages) > 0 {
		return packages, here.Root
	}
	return []string{"."}, ""
}

// matching returns which of the page's benchmarks --bench matches. It returns an error if there are
// none.
func (g *gate) matching(base *results.BenchmarkFile) (keep func(results.BenchmarkSample) bool, err error) {
	matched := map[string]bool{}
	any := false
	for _, s := range base.Samples {
		if matched[s.Name], err = gobench.Matches(g.bench, "Benchmark"+s.Name); err != nil {
			return nil, cli.Usagef("--bench %v", err)
		}
		any = any || matched[s.Name]
	}
	if !any {
		return nil, cli.Usagef("--bench %q matches no benchmark of %s: want one of its section \"Go benchmarks\"",
			g.bench, g.baseline)
	}
	return func(s results.BenchmarkSample) bool { return matched[s.Name] }, nil
}

// benchTimeFlag matches -benchtime in the command that the page was measured with. Bytes per
// operation depend on it, because a one-time allocation is divided among the operations.
var benchTimeFlag = regexp.MustCompile(` -benchtime[ =]'?([0-9a-zµ.]+)'?`)

// pageBenchTime returns the -benchtime of the page's benchmarks, or "" if the page has none.
func pageBenchTime(path string) (benchTime string, err error) {
	page, err := baseline.Read(path)
	if err != nil {
		return "", err
	}
	for _, g := range page.Benchmarks {
		if m := benchTimeFlag.FindStringSubmatch(g.Command); m != nil {
			benchTime = m[1]
		}
	}
	return benchTime, nil
}

// measureBenchmarks runs the command.
func (g *gate) measureBenchmarks(ctx context.Context, command gobench.TestCommand) (*results.BenchmarkFile, error) {
	view := progress.NewLine(g.Err, g.quiet)
	defer view.Close()
	view.Println("trying the benchmarks of " + strings.Join(command.Packages, " "))
	began := time.Now()
	command.Progress = func(p gobench.SampleProgress) {
		view.Update(fmt.Sprintf("%s, sample %d of %d", p.Benchmark, min(p.Done+1, p.Of), p.Of), time.Since(began))
	}
	trial, err := command.Try(ctx)
	if err != nil {
		return nil, err
	}
	measured, err := trial.Measure(ctx)
	if err != nil {
		return nil, err
	}
	return results.NewBenchmarkFile("go test", *measured), nil
}

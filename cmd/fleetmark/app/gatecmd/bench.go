package gatecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// pageSamples is how often each benchmark is measured that is judged by a page: enough for a test
// against the page's ten.
const pageSamples = 6

// benchmarksAgainstPage measures Go benchmarks as those of the baseline page were measured, and
// judges their allocations by those.
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

// benchPackages returns the packages whose benchmarks are judged, and the directory in which they
// are named: those of the command line, or else those of fleetmark.yaml, or else the current one.
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
			return nil, cli.Usagef("%v", err)
		}
		any = any || matched[s.Name]
	}
	if !any {
		return nil, cli.Usagef("--bench %q matches no benchmark of %s: want one of its section \"Go benchmarks\"",
			g.bench, g.baseline)
	}
	return func(s results.BenchmarkSample) bool { return matched[s.Name] }, nil
}

// benchTimeFlag finds -benchtime in the command that the page was measured with. Bytes an operation
// depend on how many operations share what is allocated once.
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

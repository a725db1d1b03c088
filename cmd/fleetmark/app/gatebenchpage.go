package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// pageSamples is how often each benchmark is measured that is judged against a page: enough for a test
// against the page's ten.
const pageSamples = 6

// A benchesHeld is what came of Go benchmarks that were held against the baseline page.
type benchesHeld struct {
	*judge.Benchmarks
	command  gobench.TestCommand
	warnings []string // of what was measured
}

// gateBenchPage measures Go benchmarks, judges their allocations by those of the baseline page, and shows
// the verdict. Its error carries the exit code.
func gateBenchPage(cmd *cobra.Command, f *gateFlags, packages []string, c cli.Console) error {
	ctx := cmd.Context()
	found, err := f.benchesAgainstPage(ctx, packages, c)
	if err != nil {
		return f.tellEnding(ctx, report.ModeBench, benchTitle(packages), c, err)
	}
	d := report.FromBenchmarkPage(report.Input{
		Scenario: "Go benchmarks of " + strings.Join(found.command.Packages, " "), Judgement: found.Judgement,
		Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base:  report.Side{Label: f.baseline, Records: found.Base},
		Now:   report.Side{Revision: revision(ctx), Records: found.Records},
		Notes: append([]string{"measured with " + found.command.String()}, found.warnings...),
	}, report.GateFacts{Baseline: f.baseline, Command: found.command.String()})
	d.ExitCode = cli.CodeOfVerdict(found.Verdict)
	if err := f.show(d, c); err != nil {
		return err
	}
	return verdictError(d)
}

// benchesAgainstPage measures the benchmarks as the page's were, and judges them.
func (f *gateFlags) benchesAgainstPage(ctx context.Context, packages []string, c cli.Console) (*benchesHeld, error) {
	base, err := baseline.ReadBenchmarkFile(f.baseline)
	if errors.Is(err, fs.ErrNotExist) && !f.pageGiven {
		return nil, &cli.ExitError{Code: cli.ExitUsage, Text: "--bench: there is no " + f.baseline + " here: want --base REF beside it, to measure two revisions by turns"}
	}
	if err != nil {
		return nil, err
	}
	better, err := declaredUnits()
	if err != nil {
		return nil, err
	}
	base.Declare(better)
	keep, err := f.matching(base)
	if err != nil {
		return nil, err
	}
	command, err := f.testCommand(base, packages)
	if err != nil {
		return nil, err
	}
	now, err := f.measureBenchmarks(ctx, command, c)
	if err != nil {
		return nil, err
	}
	return &benchesHeld{judge.CompareBenchmarks(base, now, keep, true), command, now.Warnings}, nil
}

// matching returns which of the page's benchmarks --bench matches, if it matches any.
func (f *gateFlags) matching(base *results.BenchmarkFile) (keep func(results.BenchmarkSample) bool, err error) {
	matched := map[string]bool{}
	any := false
	for _, s := range base.Samples {
		if matched[s.Name], err = gobench.Matches(f.bench, "Benchmark"+s.Name); err != nil {
			return nil, &cli.ExitError{Code: cli.ExitUsage, Text: err.Error()}
		}
		any = any || matched[s.Name]
	}
	if !any {
		return nil, cli.Usagef("--bench %q matches no benchmark of %s: want one of its section \"Go benchmarks\"", f.bench, f.baseline)
	}
	return func(s results.BenchmarkSample) bool { return matched[s.Name] }, nil
}

// benchTimeFlag finds -benchtime in the command that the page was measured with. Bytes an operation
// depend on how many operations share what is allocated once.
var benchTimeFlag = regexp.MustCompile(` -benchtime[ =]'?([0-9a-zµ.]+)'?`)

// testCommand is how the benchmarks are measured: as for the page, but less often.
func (f *gateFlags) testCommand(base *results.BenchmarkFile, packages []string) (gobench.TestCommand, error) {
	c := gobench.TestCommand{Packages: packages, Run: f.bench, Count: pageSamples}
	if f.budgetGiven {
		c.Limit = f.budget
	}
	page, err := baseline.Read(base.Path)
	if err != nil {
		return c, err
	}
	for _, g := range page.Benchmarks {
		if m := benchTimeFlag.FindStringSubmatch(g.Command); m != nil {
			c.BenchTime = m[1]
		}
	}
	if len(packages) == 0 {
		c.Packages, c.Dir, err = configuredPackages()
	}
	return c, err
}

// configuredPackages returns the packages of fleetmark.yaml and the directory in which they are named;
// without any, the current package.
func configuredPackages() (packages []string, dir string, err error) {
	p, err := project.Find(".")
	if err != nil {
		return nil, "", err
	}
	for _, b := range p.Config.Benchmarks {
		packages = append(packages, b.Packages...)
	}
	if len(packages) == 0 {
		return []string{"."}, "", nil
	}
	return packages, p.Root, nil
}

// measureBenchmarks runs the command.
func (f *gateFlags) measureBenchmarks(ctx context.Context, command gobench.TestCommand, c cli.Console) (*results.BenchmarkFile, error) {
	view := progress.NewLine(c.Err, f.quiet)
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

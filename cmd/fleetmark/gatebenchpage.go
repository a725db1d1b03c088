package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// pageSamples is how often each benchmark is measured that is judged against a page: enough for a test
// against the page's ten.
const pageSamples = 6

// gateBenchPage measures Go benchmarks, and judges their allocations by those of the baseline page. Its
// error carries the exit code.
func gateBenchPage(cmd *cobra.Command, f *gateFlags, packages []string, c console) error {
	ctx := cmd.Context()
	base, err := results.ReadBenchmarkFile(f.baseline)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("baseline") {
		return &exitError{exitUsage, "--bench: there is no " + f.baseline + " here: want --base REF beside it, to measure two revisions by turns"}
	}
	if err != nil {
		return err
	}
	keep, err := f.matching(base)
	if err != nil {
		return err
	}
	command, err := f.testCommand(base, packages)
	if err != nil {
		return err
	}
	now, err := f.measureBenchmarks(ctx, command, c)
	if err != nil {
		return err
	}
	found := results.CompareBenchmarks(base, now, keep, true)
	j := found.Judgement
	if f.json {
		err = writeBenchPageJSON(c, j, f.baseline, command.String())
	} else {
		err = writeBenchPageText(c, j, f.baseline, command.String())
	}
	if err != nil {
		return err
	}
	subject := &report.Subject{
		Scenario: "Go benchmarks of " + strings.Join(command.Packages, " "), Judgement: j, Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base: report.Side{Label: f.baseline, Records: found.Base}, Now: report.Side{Revision: revision(ctx), Records: found.Now},
		Notes: append([]string{"measured with " + command.String()}, now.Warnings...),
	}
	if err := f.writeReports([]*report.Subject{subject}, c); err != nil {
		return err
	}
	if code := codeOfVerdict(j.Verdict, true); code != exitPass {
		return &exitError{code, fmt.Sprintf("%s: %s", verdictWord(j.Verdict), j.Reason)}
	}
	return nil
}

// matching returns which of the page's benchmarks --bench matches, if it matches any.
func (f *gateFlags) matching(base *results.BenchmarkFile) (keep func(results.BenchmarkSample) bool, err error) {
	matched := map[string]bool{}
	any := false
	for _, s := range base.Samples {
		if matched[s.Name], err = gobench.Matches(f.bench, "Benchmark"+s.Name); err != nil {
			return nil, &exitError{exitUsage, err.Error()}
		}
		any = any || matched[s.Name]
	}
	if !any {
		return nil, &exitError{exitUsage, fmt.Sprintf("--bench %q matches no benchmark of %s: want one of its section \"Go benchmarks\"", f.bench, f.baseline)}
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
	page, err := results.ReadBaseline(base.Path)
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
func (f *gateFlags) measureBenchmarks(ctx context.Context, command gobench.TestCommand, c console) (*results.BenchmarkFile, error) {
	view := newGateView(c, f.quiet)
	defer view.end()
	view.say("trying the benchmarks of " + strings.Join(command.Packages, " "))
	began := time.Now()
	command.Progress = func(p gobench.SampleProgress) {
		view.update(fmt.Sprintf("%s, sample %d of %d", p.Benchmark, min(p.Done+1, p.Of), p.Of), time.Since(began))
	}
	trial, err := command.Try(ctx)
	if err != nil {
		return nil, err
	}
	measured, err := trial.Measure(ctx)
	if err != nil {
		return nil, err
	}
	return results.NewBenchmarkFile("go test", measured), nil
}

func writeBenchPageText(c console, j *results.Judgement, baseline, command string) error {
	var text bytes.Buffer
	if err := j.WriteTable(&text, tableOptions(c.out)); err != nil {
		return err
	}
	fmt.Fprintf(&text, "baseline: %s; now: %s\n", baseline, command)
	_, err := c.out.Write(text.Bytes())
	return err
}

// benchPageJSON is the object that `gate --bench --baseline --json` prints, a contract with scripts.
type benchPageJSON struct {
	Mode     string              `json:"mode"` // "bench"
	Verdict  results.Verdict     `json:"verdict"`
	Reason   string              `json:"reason"`
	ExitCode int                 `json:"exit_code"`
	Baseline string              `json:"baseline"`
	Command  string              `json:"command"`
	Alpha    float64             `json:"alpha"`
	Rows     []results.JudgedRow `json:"rows"` // scenario is the package, op the benchmark
}

func writeBenchPageJSON(c console, j *results.Judgement, baseline, command string) error {
	var line bytes.Buffer
	err := json.NewEncoder(&line).Encode(benchPageJSON{"bench", j.Verdict, j.Reason, codeOfVerdict(j.Verdict, true), baseline, command, j.Alpha, j.Rows})
	if err != nil {
		return err
	}
	_, err = c.out.Write(line.Bytes())
	return err
}

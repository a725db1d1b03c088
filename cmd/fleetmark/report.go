package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// standardOutput stands for it where a flag wants a file.
const standardOutput = "-"

// reportFlags are the flags of report.
type reportFlags struct {
	html, markdown, comment, junit, json string
	github                               bool
	base, baseline                       string
	schema                               bool
}

func newReport(c console) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use: "report RUN|FILE", Short: "Write reports of a run, alone, against a baseline, or against another run",
		Long: `Writes what a run came to for a reviewer, a pull request, or a server: of the run
alone, against a baseline page, or against another run. Without a file to write it
prints the page in Markdown. A file named - is standard output.

Of a file with the output of go test -bench it reports the benchmarks: alone, against the
Go benchmarks of a baseline page, or against another such file.

It judges as "run" does, with the baseline of today, and shows; it exits 0 whatever
the verdict.`,
		Example: `  fleetmark report runs/20260102T030405Z-rollout-1a2b3c --html report.html
  fleetmark report --base runs/OLD runs/NEW --comment comment.md --junit junit.xml
  fleetmark report runs/NEW --github
  fleetmark report --base old.txt new.txt --html report.html`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.schema {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.schema {
				_, err := fmt.Fprint(c.out, report.Schema())
				return err
			}
			return f.run(cmd, args[0], c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.html, "html", "", "write one HTML page to this file, plots and all")
	flags.StringVar(&f.markdown, "markdown", "", "write the whole page in Markdown to this file")
	flags.StringVar(&f.comment, "comment", "", "write a pull request's comment to this file: the verdict first, the rest folded")
	flags.StringVar(&f.junit, "junit", "", "write JUnit's XML to this file")
	flags.StringVar(&f.json, "json", "", "print a JSON object, or write it to the file of --json=FILE")
	flags.Lookup("json").NoOptDefVal = standardOutput
	flags.BoolVar(&f.github, "github", false, "append to $GITHUB_STEP_SUMMARY and print annotations, in a step of GitHub Actions")
	flags.StringVar(&f.base, "base", "", "compare with this run or file, or with the baseline page of that name")
	flags.StringVar(&f.baseline, "baseline", "", "hold the run against this page (default "+results.BaselineFile+", where it is)")
	flags.BoolVar(&f.schema, "schema", false, "print the JSON Schema of --json, and do nothing else")
	return cmd
}

func (f *reportFlags) run(cmd *cobra.Command, path string, c console) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	subject, err := f.subject(path)
	if err != nil {
		return err
	}
	outputs, err := f.render(subject)
	if err != nil {
		return err
	}
	if err := cmd.Context().Err(); err != nil { // an interrupted command writes nothing
		return err
	}
	for _, o := range outputs {
		if err := o.write(c); err != nil {
			return err
		}
	}
	return nil
}

// check refuses flags that contradict each other.
func (f *reportFlags) check(cmd *cobra.Command) error {
	if err := refuseEmpty(cmd, "html", "markdown", "comment", "junit", "json", "base", "baseline"); err != nil {
		return err
	}
	if f.base != "" && f.baseline != "" {
		return &exitError{exitUsage, "--base and --baseline: a run is held against one of the two; leave the other out"}
	}
	taken := make(map[string]string)
	if f.github {
		taken[standardOutput] = "github"
		if os.Getenv(stepSummary) == "" {
			return &exitError{exitUsage, "--github: " + stepSummary + " isn't set: use it in a step of GitHub Actions, or leave it out"}
		}
	}
	for _, name := range []string{"html", "markdown", "comment", "junit", "json"} {
		file := cmd.Flags().Lookup(name).Value.String()
		if other := taken[file]; file != "" && other != "" {
			return &exitError{exitUsage, fmt.Sprintf("--%s and --%s: both would be written to %s; give one of them a file of its own", other, name, outputName(file))}
		}
		taken[file] = name
	}
	return nil
}

func outputName(file string) string {
	if file == standardOutput {
		return "standard output"
	}
	return file
}

// subject reads the run and what it is held against.
func (f *reportFlags) subject(path string) (*report.Subject, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return f.benchmarks(path)
	}
	run, err := results.LoadRun(path)
	if err != nil {
		return nil, err
	}
	subject, err := f.against(run)
	if err != nil {
		return nil, err
	}
	subject.Base.Read()
	subject.Now.Read()
	return subject, nil
}

func (f *reportFlags) against(run *results.LoadedRun) (*report.Subject, error) {
	page := f.baseline
	if f.base != "" {
		if info, err := os.Stat(f.base); err == nil && info.IsDir() {
			base, err := results.LoadRun(f.base)
			if err != nil {
				return nil, err
			}
			return f.comparison(base, run)
		}
		page = f.base
	}
	demanded := page != ""
	if !demanded {
		page = results.BaselineFile
	}
	baseline, err := results.ReadBaseline(page)
	if errors.Is(err, fs.ErrNotExist) && !demanded {
		baseline, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	subject := report.OfRun(*run, results.JudgeRun(baseline, run.Run, run.Records))
	subject.Base = report.BaselineSide(baseline, run.Scenario)
	return subject, nil
}

// comparison refuses a base that a judgement can't rest on, as baseline does.
func (f *reportFlags) comparison(base, run *results.LoadedRun) (*report.Subject, error) {
	if err := usable(f.base, base.Run); err != nil {
		return nil, err
	}
	if base.Scenario != run.Scenario {
		return nil, &results.InputError{Path: f.base, Problem: fmt.Sprintf("is of the scenario %s, and %s of %s", base.Scenario, run.Path, run.Scenario), Want: "name two runs of one scenario"}
	}
	return report.Compare(*base, *run), nil
}

// benchmarks reads the Go benchmarks of a file, and what they are compared with.
func (f *reportFlags) benchmarks(path string) (*report.Subject, error) {
	now, err := results.ReadBenchmarkFile(path)
	if err != nil {
		return nil, err
	}
	page := cmp.Or(f.base, f.baseline, results.BaselineFile)
	base, err := results.ReadBenchmarkFile(page)
	if err != nil {
		if f.base != "" || f.baseline != "" {
			return nil, err
		}
		base = &results.BenchmarkFile{} // the default page is optional
	}
	found := results.CompareBenchmarks(base, now, nil, false)
	s := &report.Subject{
		Scenario: "Go benchmarks", Judgement: found.Judgement, Command: commandLine(os.Args[1:]), Measured: modified(path),
		Now: report.Side{Label: path, Records: found.Now}, Notes: append(base.Warnings, now.Warnings...),
	}
	if found.Judgement.HasBaseline {
		s.Base = report.Side{Label: base.Path, Records: found.Base}
	}
	for _, side := range []*results.BenchmarkFile{now, base} {
		if side.System != "" {
			s.Notes = append(s.Notes, side.Path+" was measured on "+side.System)
		}
	}
	return s, nil
}

// modified returns when a file was last written, or the zero time if that isn't known.
func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}

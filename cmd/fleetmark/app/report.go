package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
)

// reportFlags are the flags of report.
type reportFlags struct {
	html, markdown, comment, junit, json string
	github                               bool
	base, baseline                       string
	schema                               string
	by                                   report.By
}

func newReport(c cli.Console) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use: "report RUN|FILE", Short: "Write reports of a run, alone, against a baseline, or against another run",
		Long: `Writes what a run came to for a reviewer, a pull request, or a server: of the run
alone, against a baseline page, or against another run. Without a file to write it
prints the page in Markdown. A file named - is standard output.

Of a file with the output of go test -bench, with -json or without, it reports the
benchmarks: alone, against the Go benchmarks of a baseline page, or against another such
file. The file - is standard input.

It judges as "run" does, with the baseline of today, and shows; it exits 0 whatever
the verdict.`,
		Example: `  fleetmark report runs/20260102T030405Z-rollout-1a2b3c --html report.html
  fleetmark report --base runs/OLD runs/NEW --comment comment.md --junit junit.xml
  fleetmark report runs/NEW --github
  fleetmark report --base old.txt new.txt --html report.html
  go test -json -bench . | fleetmark report -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.schema != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.schema != "" {
				return writeSchema(c.Out, f.schema)
			}
			return f.run(cmd, args[0], c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.html, "html", "", "write one HTML page to this file, plots and all")
	flags.StringVar(&f.markdown, "markdown", "", "write the whole page in Markdown to this file")
	flags.StringVar(&f.comment, "comment", "",
		"write a pull request's comment to this file: the verdict first, the rest folded")
	flags.StringVar(&f.junit, "junit", "", "write JUnit's XML to this file")
	flags.StringVar(&f.json, "json", "", "print a JSON object, or write it to the file of --json=FILE")
	flags.Lookup("json").NoOptDefVal = cli.Stdout
	flags.BoolVar(&f.github, "github", false,
		"append to $GITHUB_STEP_SUMMARY and print annotations, in a step of GitHub Actions")
	flags.StringVar(&f.base, "base", "", "compare with this run or file, or with the baseline page of that name")
	flags.StringVar(&f.baseline, "baseline", "",
		"hold the run against this page (default "+baseline.FileName+", where it is)")
	cli.ByFlag(flags, &f.by, "print the results of each part of the run, and nothing else: group or wave")
	flags.StringVar(&f.schema, "schema", "",
		"print the JSON Schema of --json, or with --schema=timeline of timeline.jsonl, or with --schema=process of a client.command's lines, "+
			"and do nothing else")
	flags.Lookup("schema").NoOptDefVal = "report"
	return cmd
}

// writeSchema writes the JSON Schema of a form of that name.
func writeSchema(w io.Writer, name string) error {
	schemas := map[string]func() string{"report": report.Schema, "timeline": timeline.Schema, "process": process.Schema}
	schema, ok := schemas[name]
	if !ok {
		return cli.Usagef("--schema=%s: want report, timeline or process", name)
	}
	_, err := io.WriteString(w, schema())
	return err
}

func (f *reportFlags) run(cmd *cobra.Command, path string, c cli.Console) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	d, err := f.document(path, c)
	if err != nil {
		return err
	}
	outputs, err := f.render(d, c)
	if err != nil {
		return err
	}
	if err := cmd.Context().Err(); err != nil { // an interrupted command writes nothing
		return err
	}
	return c.Write(outputs)
}

// check refuses flags that contradict each other.
func (f *reportFlags) check(cmd *cobra.Command) error {
	if err := cli.RejectEmpty(cmd, "html", "markdown", "comment", "junit", "json", "base", "baseline"); err != nil {
		return err
	}
	if f.base != "" && f.baseline != "" {
		return cli.Usagef("--base and --baseline: a run is held against one of the two; leave the other out")
	}
	if err := cli.CheckBy(f.by); err != nil {
		return err
	}
	taken := ""
	switch {
	case f.by != "" && f.github:
		return cli.Usagef("--by and --github: both would be written to standard output; leave one of the two out")
	case f.by != "":
		taken = "by"
	case f.github:
		taken = "github"
		if err := cli.CheckGitHub(); err != nil {
			return err
		}
	}
	return cli.CheckOutputs(cmd, taken, "html", "markdown", "comment", "junit", "json")
}

// render renders the forms that were asked for, or the page for a terminal if none was.
func (f *reportFlags) render(d *report.Document, c cli.Console) ([]cli.Output, error) {
	forms := []cli.Form{
		cli.HTMLForm(f.html, ""),
		{Flag: "markdown", File: f.markdown, Render: report.Markdown},
		{Flag: "comment", File: f.comment, Render: report.Comment},
		{Flag: "junit", File: f.junit, Render: ci.JUnit},
		{Flag: "json", File: f.json, Render: report.JSON},
		cli.ByForm(c.Out, f.by),
	}
	if f.github {
		forms = append(forms, cli.GitHubForms()...)
	}
	outputs, err := cli.Render(d, forms...)
	if err != nil || len(outputs) > 0 {
		return outputs, err
	}
	return cli.Render(d, cli.PrintedForm(c.Out, false, false))
}

// document reads the run and what it is compared with.
func (f *reportFlags) document(path string, c cli.Console) (*report.Document, error) {
	if path == cli.Stdout { // "-", here of input
		now, err := baseline.ReadBenchmarks(c.In, path)
		if err != nil {
			return nil, err
		}
		return f.benchmarks(now, c)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		now, err := baseline.ReadBenchmarkFile(path)
		if err != nil {
			return nil, err
		}
		return f.benchmarks(now, c)
	}
	run, err := rundir.Load(path)
	if err != nil {
		return nil, err
	}
	base, side, err := f.baselineOf(run)
	if err != nil {
		return nil, err
	}
	now := report.RunSide(*run)
	side.Read()
	now.Read()
	j := judge.Judge(base, run.Run, run.Records, judge.Policy{})
	return report.New(report.ModeReport, report.Input{Scenario: run.Scenario, Judgement: j, Base: side, Now: now}), nil
}

// baselineOf returns what a run is judged by, and the side to show of it: another run, a page that
// was named, or the default page if there is one.
func (f *reportFlags) baselineOf(run *rundir.Loaded) (*baseline.Page, report.Side, error) {
	page := f.baseline
	if f.base != "" {
		if info, err := os.Stat(f.base); err == nil && info.IsDir() {
			return f.baseRun(run)
		}
		page = f.base
	}
	named := page != ""
	if !named {
		page = baseline.FileName
	}
	base, err := baseline.Read(page)
	if errors.Is(err, fs.ErrNotExist) && !named {
		base, err = nil, nil
	}
	return base, report.BaselineSide(base, run.Scenario), err
}

// baseRun returns the run of --base as a baseline. It refuses a run that no judgment can be based
// on, as the command baseline does.
func (f *reportFlags) baseRun(run *rundir.Loaded) (*baseline.Page, report.Side, error) {
	base, err := rundir.Load(f.base)
	if err != nil {
		return nil, report.Side{}, err
	}
	if err := baseline.CheckUsable(f.base, base.Run); err != nil {
		return nil, report.Side{}, err
	}
	if base.Scenario != run.Scenario {
		problem := fmt.Sprintf("is of the scenario %s, and %s of %s", base.Scenario, run.Path, run.Scenario)
		err := &results.InputError{Path: f.base, Problem: problem, Want: "name two runs of one scenario"}
		return nil, report.Side{}, err
	}
	side := report.RunSide(*base)
	side.Label = "base"
	return baseline.FromRun(base.Run, base.Records), side, nil
}

// benchmarks compares Go benchmarks with the ones in a file or on the baseline page.
func (f *reportFlags) benchmarks(now *results.BenchmarkFile, c cli.Console) (*report.Document, error) {
	page := cmp.Or(f.base, f.baseline, baseline.FileName)
	base, err := baseline.ReadBenchmarkFile(page)
	if err != nil {
		if f.base != "" || f.baseline != "" {
			return nil, err
		}
		base = &results.BenchmarkFile{} // the default page is optional
	}
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	base.Declare(here.Config.Better())
	found := judge.CompareBenchmarks(base, now, nil, false)
	in := report.Input{
		Scenario: "Go benchmarks", Judgement: found.Judgement, Command: c.CommandLine(), Measured: modified(now.Path),
		Now: report.Side{Label: now.Path, Records: found.Records}, Notes: append(base.Warnings, now.Warnings...),
	}
	if found.HasBaseline {
		in.Base = report.Side{Label: base.Path, Records: found.Base}
	}
	for _, side := range []*results.BenchmarkFile{now, base} {
		if side.System != "" {
			in.Notes = append(in.Notes, side.Path+" was measured on "+side.System)
		}
	}
	return report.New(report.ModeReport, in), nil
}

// modified returns when a file was last written, or the zero time if that isn't known.
func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/baselinepage"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
	"github.com/fleetmark/fleetmark/scenarios/opcost"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// baselineFlags are the flags of baseline.
type baselineFlags struct {
	profiles    string // the directory for push profiles; empty: none are taken
	check       bool
	text        bool
	file        string
	from        []string
	sections    string
	operations  int
	bench       benchFlags
	testsWithin time.Duration
	out         string
	quiet       bool
}

func newBaseline(c cli.Console) *cobra.Command {
	var f baselineFlags
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Measure the baseline and write " + baseline.FileName,
		Long: `Measures and writes the page that later runs are held against: the scenarios ` +
			strings.Join(subject(c).Scenarios(project.Project{}), "\nand ") + `,
or those that ` + "`fleetmark.yaml`" + ` names under baseline, and
in sections of its own the Go benchmarks that ` + "`fleetmark.yaml`" + ` names, what operations
cost, where their time and bytes go, whether all of the suite integration passes, what
large artifacts take, and what the code and its tests are. What people wrote under
"Optimization history" is kept. It takes some minutes of the whole machine, most of
them for the benchmarks and the tests.

A benchmark that fails, panics, skips itself, prints while it is measured or reports no
time ends the command, with a line that names it: there is no page without it.

--check changes nothing: it fails where the page can't be read, was edited by hand,
or is stale, so that later runs would be held against the wrong thing: it lacks a
scenario or a section, or one has changed since.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkFlags(cmd); err != nil {
				return err
			}
			switch {
			case f.check:
				return f.checkPage(cmd.Context(), c)
			case f.text:
				return f.rewrite(c)
			}
			return f.write(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.check, "check", false, "fail where the page is stale or was edited by hand")
	flags.BoolVar(&f.text, "text", false,
		"measure nothing: write anew only what the page takes from the code, such as targets")
	flags.StringVar(&f.file, "file", baseline.FileName, "the page (- is standard output)")
	flags.StringArrayVar(&f.from, "from", nil, "take this run directory instead of measuring (once a scenario); "+
		"sections that want measurements are left out unless --sections names them")
	flags.StringVar(&f.sections, "sections", "all",
		"which sections are measured: all, none, or some of "+strings.Join(baselinepage.Sections(), ","))
	flags.IntVar(&f.operations, "operations", 5000,
		"how many operations the sections time and allocations look at, each kind")
	flags.IntVar(&f.bench.count, "bench-count", 0, "samples per Go benchmark (default what fleetmark.yaml says)")
	flags.StringVar(&f.bench.time, "bench-time", "",
		"how long a sample of a Go benchmark takes, as go test's -benchtime (default a second)")
	flags.DurationVar(&f.bench.within, "bench-within", gobench.DefaultTestLimit,
		"how long each command of Go benchmarks may take")
	flags.DurationVar(&f.testsWithin, "tests-within", 20*time.Minute, "how long the section tests may take")
	flags.StringVar(&f.profiles, "profiles", "",
		"where the profiles of a push go that later ones are held against (default "+
			abtest.BaselineProfiles+", with the default page)")
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.BoolVar(&f.quiet, "no-progress", false, "show no progress")
	return cmd
}

// checkFlags returns an error for flags that contradict each other and for a file that can't be
// written, so that the command fails before it measures for minutes. It sets the defaults that
// depend on other flags.
func (f *baselineFlags) checkFlags(cmd *cobra.Command) error {
	if err := cli.RejectEmpty(cmd, "file", "out", "sections", "profiles", "bench-time"); err != nil {
		return err
	}
	changed := cmd.Flags().Changed
	if f.check || f.text {
		for _, name := range []string{
			"from", "sections", "operations", "bench-count", "bench-time", "bench-within", "tests-within", "profiles",
		} {
			if changed(name) {
				return cli.Usagef("--%s: --check and --text measure nothing: leave it out", name)
			}
		}
	}
	if err := f.bench.check(changed); err != nil {
		return err
	}
	switch {
	case (f.check || f.text) && f.file == cli.Stdout:
		return cli.Usagef("--file -: a page that is there is wanted: name it")
	case f.check && f.text:
		return cli.Usagef("--check and --text: leave one of the two out")
	case f.check || f.text:
		return nil
	}
	if !changed("sections") && len(f.from) > 0 {
		f.sections = "none"
	}
	if f.profiles == "" && f.file == baseline.FileName && f.sections == "all" {
		f.profiles = abtest.BaselineProfiles
	}
	return cli.CheckOutputs(cmd, "", "file")
}

// write measures the page and writes it.
func (f *baselineFlags) write(ctx context.Context, c cli.Console) error {
	o, b, err := f.builder(ctx, c)
	if err != nil {
		return err
	}
	if err := b.Try(ctx); err != nil {
		return f.unchanged(ctx, err)
	}
	dirs := f.from
	if len(dirs) == 0 {
		if dirs, err = b.RunScenarios(ctx, b.Scenarios()); err != nil {
			return invalidRun(err)
		}
	}
	notes, err := b.AddRuns(dirs)
	if err != nil {
		return err
	}
	if len(b.Measured()) > 0 && len(f.from) > 0 {
		if err := checkSameSource(b.Page(), o); err != nil {
			return err
		}
	}
	if err := b.Measure(ctx); err != nil {
		return f.unchanged(ctx, invalidRun(err))
	}
	output, err := f.render(b.Page())
	if err != nil {
		return err
	}
	if err := f.takeProfiles(ctx, o); err != nil {
		return f.unchanged(ctx, err)
	}
	if err := output.Write(c); err != nil {
		return err
	}
	for _, note := range notes {
		_, _ = fmt.Fprintln(c.Err, "fleetmark:", note) // a note; the page says it as well
	}
	out := c.Out
	if f.file == cli.Stdout {
		out = c.Err
	}
	_, err = fmt.Fprintf(out, "%s: %d scenarios and %d sections from %s\n",
		cli.OutputName(f.file), len(b.Page().Scenarios), len(b.Measured()), b.Page().Machine)
	return err
}

// render returns the page as the output of a file that isn't written yet.
func (f *baselineFlags) render(page *baseline.Page) (cli.Output, error) {
	var text bytes.Buffer
	err := baseline.Write(&text, *page)
	return cli.Output{Flag: "file", File: f.file, Data: text.Bytes()}, err
}

// builder checks what was asked for, reads the old page, and returns the builder of the new one
// with the options of the scenarios that it runs.
func (f *baselineFlags) builder(
	ctx context.Context, c cli.Console,
) (o batch.Options, _ *baselinepage.Builder, _ error) {
	asked, err := baselinepage.ParseSections(f.sections)
	if err != nil {
		return o, nil, cli.Usagef("--sections %v", err)
	}
	if f.operations < 1 || f.operations > opcost.MaxOperations {
		return o, nil, cli.Usagef("--operations %d: want 1 to %d", f.operations, opcost.MaxOperations)
	}
	if f.testsWithin <= 0 {
		return o, nil, cli.Usagef("--tests-within %v: want a time such as 20m", f.testsWithin)
	}
	history, err := f.history()
	if err != nil {
		return o, nil, err
	}
	in, err := project.Find(".")
	if err != nil {
		return o, nil, err
	}
	o, err = c.Batch(ctx, f.out, func() batch.View { return progress.New(c.Err, progress.ModeOf(f.quiet)) })
	if err != nil {
		return o, nil, err
	}
	return o, baselinepage.New(baselinepage.Options{
		Project: in, Subject: subject(c), History: history, Sections: asked, Operations: f.operations, TestLimit: f.testsWithin,
		Benchmarks: baselinepage.BenchmarkOptions{Count: f.bench.count, Time: f.bench.time, Limit: f.bench.within},
		Revision:   o.Revision, FleetCommand: o.FleetCommand, Stderr: c.Err,
		OpcostCommand: []string{o.FleetCommand[0], opcostCommand},
		Run: func(ctx context.Context, spec scenarios.Spec, command string) (*batch.Result, error) {
			done, err := cli.RunBatch(ctx, o, []runner.Options{{Spec: spec, Command: command}}, f.asItWas())
			if err != nil {
				return nil, err
			}
			return done[0], nil
		},
		Log: func(step string) { f.log(c.Err, step) },
	}), nil
}

// subject returns what the console's pages are about.
func subject(c cli.Console) baselinepage.Subject {
	s := baselinepage.Subject{Program: c.Program}
	if c.Client != nil {
		s.Client = c.Client.Name
	}
	return s
}

// log shows a person what is being measured.
func (f *baselineFlags) log(w io.Writer, step string) {
	if !f.quiet {
		_, _ = fmt.Fprintln(w, "baseline:", step)
	}
}

// invalidRun makes the error about a run that can't be part of a page exit 4.
func invalidRun(err error) error {
	if _, ok := errors.AsType[*baselinepage.UnusableRunError](err); ok {
		return cli.VerdictError(results.Invalid, err.Error())
	}
	return err
}

// asItWas returns the words with which an interrupted command says that it left the page alone.
func (f *baselineFlags) asItWas() string { return cli.OutputName(f.file) + " is as it was" }

// unchanged returns the error of a command that ended before it wrote the page. If it was
// interrupted, the error says that the page is as it was.
func (f *baselineFlags) unchanged(ctx context.Context, err error) error {
	if ctx.Err() != nil && cli.CodeOf(err) != cli.ExitInterrupted {
		return &cli.ExitError{Code: cli.ExitInterrupted, Text: "interrupted: " + f.asItWas()}
	}
	return err
}

// takeProfiles writes the push profiles that belong to the page.
func (f *baselineFlags) takeProfiles(ctx context.Context, o batch.Options) error {
	if f.profiles == "" {
		return nil
	}
	f.log(o.Stderr, "profiles of a push")
	err := abtest.TakePushProfiles(ctx, abtest.PushProfileOptions{
		FleetCommand: o.FleetCommand, Dir: f.profiles, Stderr: o.Stderr,
	})
	if err != nil {
		return fmt.Errorf("--profiles %s: %w", f.profiles, err)
	}
	return nil
}

// checkSameSource returns an error if the source tree or the machine isn't the one that the runs on
// the page are of: sections measured here would describe something else than the runs.
func checkSameSource(page *baseline.Page, o batch.Options) error {
	switch {
	case !page.Machine.SameAs(o.Machine):
		return cli.Usagef("--sections: the runs are of another machine than this: " +
			"leave it out, or measure all of the page here")
	case page.Revision != o.Revision:
		return cli.Usagef("--sections: the runs are of revision %s, and this is %s: "+
			"leave it out, or measure all of the page anew",
			page.Revision, o.Revision)
	}
	return nil
}

// history returns the part of the old page that people write. It returns an error if the page was
// edited elsewhere, since that would be lost.
func (f *baselineFlags) history() (string, error) {
	info, err := os.Stat(f.file)
	if f.file == cli.Stdout || err == nil && (info.Size() == 0 || !info.Mode().IsRegular()) { // nothing to lose
		return "", nil
	}
	old, err := baseline.Read(f.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("the old page would be lost; move it away to begin anew: %w", err)
	}
	return old.History, nil
}

// checkPage returns an error if the page is stale or was edited by hand.
func (f *baselineFlags) checkPage(ctx context.Context, c cli.Console) error {
	page, in, err := f.open()
	if err != nil {
		return err
	}
	stale, err := baselinepage.Check(ctx, page, in, subject(c))
	if err != nil {
		return err
	}
	if len(stale) > 0 {
		var lines strings.Builder
		remedy := "`fleetmark baseline --text` writes that anew and measures nothing"
		for _, s := range stale {
			fmt.Fprintf(&lines, "%s: %s\n", f.file, s.Problem)
			if !s.Derived {
				remedy = "`fleetmark baseline` measures it anew"
			}
		}
		return &cli.ExitError{Code: cli.ExitRegressed, Text: fmt.Sprintf("%s%s is stale: %s",
			lines.String(), f.file, remedy)}
	}
	changed := baselinepage.ChangedSince(page, in, subject(c))
	if changed != "" {
		changed = "; " + changed + " has changed since"
	}
	_, err = fmt.Fprintf(c.Out, "%s: well; %d scenarios and %d sections from %s%s\n",
		f.file, len(page.Scenarios), len(page.Sections), page.Machine, changed)
	return err
}

// rewrite writes the page again with what it takes from the code and from fleetmark.yaml, and keeps
// what was measured.
func (f *baselineFlags) rewrite(c cli.Console) error {
	page, in, err := f.open()
	if err != nil {
		return err
	}
	if err := baselinepage.Rewrite(page, in, subject(c)); err != nil {
		return err
	}
	output, err := f.render(page)
	if err != nil {
		return err
	}
	if err := output.Write(c); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s: written anew but for what was measured\n", f.file)
	return err
}

// open reads the page, and the configuration of the project that it is about.
func (f *baselineFlags) open() (*baseline.Page, project.Project, error) {
	page, err := baseline.Read(f.file)
	if err != nil {
		return nil, project.Project{}, err
	}
	in, err := project.Find(".")
	return page, in, err
}

// benchFlags are the flags of baseline that change how Go benchmarks are measured.
type benchFlags struct {
	count  int           // samples per benchmark; 0 is what fleetmark.yaml says
	time   string        // go test's -benchtime; empty leaves it to go test
	within time.Duration // how long each command may take
}

// maxBenchCount bounds --bench-count.
const maxBenchCount = 1000

// check returns an error for values that go test would refuse only minutes later. given reports
// whether a flag was given.
func (b benchFlags) check(given func(flag string) bool) error {
	if given("bench-count") && (b.count < 1 || b.count > maxBenchCount) {
		return cli.Usagef("--bench-count %d: want 1 to %d", b.count, maxBenchCount)
	}
	if b.within <= 0 {
		return cli.Usagef("--bench-within %v: want a time such as 20m", b.within)
	}
	iterations, isCount := strings.CutSuffix(b.time, "x")
	n, err := strconv.Atoi(iterations)
	d, durationErr := time.ParseDuration(b.time)
	if b.time != "" && !(isCount && err == nil && n > 0) && !(durationErr == nil && d > 0) {
		return cli.Usagef("--bench-time %q: want a time such as 300ms, or a number of iterations such as 100x", b.time)
	}
	return nil
}

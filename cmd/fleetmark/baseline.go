package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// baselineFlags are the flags of baseline.
type baselineFlags struct {
	profiles    string // the directory that they go to; empty: none are taken
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

func newBaseline(c console) *cobra.Command {
	var f baselineFlags
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Measure the baseline and write " + results.BaselineFile,
		Long: `Measures and writes the page that later runs are held against: the scenarios ` + strings.Join(baselineScenarios(), "\nand ") + `, and
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
			if err := refuseEmpty(cmd, "file", "out", "sections", "profiles", "bench-time"); err != nil {
				return err
			}
			if f.check || f.text {
				for _, name := range []string{"from", "sections", "operations", "bench-count", "bench-time", "bench-within", "tests-within", "profiles"} {
					if cmd.Flags().Changed(name) {
						return &exitError{exitUsage, "--" + name + ": --check and --text measure nothing: leave it out"}
					}
				}
			}
			if err := f.bench.check(cmd.Flags().Changed); err != nil {
				return err
			}
			switch {
			case f.check && f.text:
				return &exitError{exitUsage, "--check and --text: leave one of the two out"}
			case f.check:
				return f.checkPage(cmd.Context(), c)
			case f.text:
				return f.rewrite(c)
			}
			if !cmd.Flags().Changed("sections") && len(f.from) > 0 {
				f.sections = "none"
			}
			if f.profiles == "" && f.file == results.BaselineFile && f.sections == "all" {
				f.profiles = baselineProfiles
			}
			return f.write(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.check, "check", false, "fail where the page is stale or was edited by hand")
	flags.BoolVar(&f.text, "text", false, "measure nothing: write anew only what the page takes from the code, such as targets")
	flags.StringVar(&f.file, "file", results.BaselineFile, "the page")
	flags.StringArrayVar(&f.from, "from", nil, "take this run directory instead of measuring (once a scenario); sections that want measurements are left out unless --sections names them")
	flags.StringVar(&f.sections, "sections", "all", "which sections are measured: all, none, or some of "+strings.Join(measuredSections(), ","))
	flags.IntVar(&f.operations, "operations", 5000, "how many operations the sections time and allocations look at, each kind")
	flags.IntVar(&f.bench.count, "bench-count", 0, "samples per Go benchmark (default what fleetmark.yaml says)")
	flags.StringVar(&f.bench.time, "bench-time", "", "how long a sample of a Go benchmark takes, as go test's -benchtime (default a second)")
	flags.DurationVar(&f.bench.within, "bench-within", gobench.DefaultTestLimit, "how long each command of Go benchmarks may take")
	flags.DurationVar(&f.testsWithin, "tests-within", 20*time.Minute, "how long the section tests may take")
	flags.StringVar(&f.profiles, "profiles", "", "where the profiles of a push go that later ones are held against (default "+baselineProfiles+", with the default page)")
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.BoolVar(&f.quiet, "no-progress", false, "show no progress")
	return cmd
}

// baselineScenarios are what the page holds runs against.
func baselineScenarios() []string { return []string{"rollout", "throughput"} }

func (f *baselineFlags) write(ctx context.Context, c console) error {
	found, err := f.start()
	if err != nil {
		return err
	}
	dirs := f.from
	if err := results.CanWrite(f.file); err != nil { // before minutes are spent
		return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
	}
	s, err := f.session(ctx, c)
	if err != nil {
		return err
	}
	if err := f.tryBenchmarks(ctx, s, found); err != nil {
		return f.untouched(ctx, err)
	}
	if len(dirs) == 0 {
		if dirs, err = f.measure(ctx, s, baselineScenarios()); err != nil {
			return err
		}
	}
	notes, err := found.take(dirs)
	if err != nil {
		return err
	}
	if len(found.asked) > 0 && len(f.from) > 0 {
		if err := found.sameAs(s); err != nil {
			return err
		}
	}
	if err := f.find(ctx, s, found); err != nil {
		return f.untouched(ctx, err)
	}
	if err := found.sections(); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := results.WriteBaseline(&text, *found.page); err != nil {
		return err
	}
	if err := f.takeProfiles(ctx, s); err != nil {
		return f.untouched(ctx, err)
	}
	if err := results.AtomicWriteFile(f.file, text.Bytes()); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
	}
	for _, note := range notes {
		_, _ = fmt.Fprintln(c.err, "fleetmark:", note) // for a person; the page says it as well
	}
	_, err = fmt.Fprintf(c.out, "%s: %d scenarios and %d sections from %s\n", f.file, len(found.page.Scenarios), len(found.asked), found.page.Machine)
	return err
}

// start looks at what was asked for, and at the old page.
func (f *baselineFlags) start() (*findings, error) {
	asked, err := parseSections(f.sections)
	if err != nil {
		return nil, err
	}
	if f.operations < 1 || f.operations > anatomy.MaxOperations {
		return nil, &exitError{exitUsage, fmt.Sprintf("--operations %d: want 1 to %d", f.operations, anatomy.MaxOperations)}
	}
	if f.testsWithin <= 0 {
		return nil, &exitError{exitUsage, fmt.Sprintf("--tests-within %v: want a time such as 20m", f.testsWithin)}
	}
	history, err := f.history()
	if err != nil {
		return nil, err
	}
	in, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	return &findings{
		project: in, asked: asked, why: map[string]string{},
		page: &results.Baseline{Created: time.Now().UTC().Truncate(time.Second), History: history},
	}, nil
}

func (f *baselineFlags) session(ctx context.Context, c console) (*session, error) {
	form := progressAuto
	if f.quiet {
		form = progressNone
	}
	return newSession(ctx, c, f.out, form)
}

// untouched says what an interruption left.
func (f *baselineFlags) untouched(ctx context.Context, err error) error {
	if ctx.Err() != nil && codeOf(err) != exitInterrupted {
		return errors.Join(&exitError{exitInterrupted, "interrupted: " + f.file + " is as it was"}, nil)
	}
	return err
}

// take puts the runs of the page's scenarios onto it. What of them is worth knowing is
// given as notes.
func (f *findings) take(dirs []string) (notes []string, err error) {
	page := f.page
	for _, dir := range dirs {
		run, err := results.LoadRun(dir)
		if err != nil {
			return nil, err
		}
		if err := usable(run.Path, run.Run); err != nil {
			return nil, err
		}
		if len(page.Scenarios) > 0 && !run.Machine.SameAs(page.Machine) {
			return nil, unusable(run.Path, "it was measured on another machine than the first")
		}
		if disturbed := run.Harness.Interference.Disturbed(); disturbed != "" {
			notes = append(notes, fmt.Sprintf("%s: %s meanwhile: measure on a machine at rest if you can", run.Path, disturbed))
		}
		page.Machine, page.Revision, page.GoVersion = run.Machine, run.Revision, run.Machine.GoVersion
		page.Scenarios = append(page.Scenarios, results.BaselineScenario{
			Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: withoutPlaces(run.Command), Repetitions: run.Repetitions,
			Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly, Interference: run.Harness.Interference, Yardstick: run.Harness.Yardstick, Records: run.Records,
		})
	}
	return notes, nil
}

// placeFlag is where a run kept its files, which is nobody else's business.
var placeFlag = regexp.MustCompile(` --(out|baseline)[= ]('[^']*'|\S+)`)

// withoutPlaces is how to measure a run again, without where this one kept its files.
func withoutPlaces(command string) string { return placeFlag.ReplaceAllString(command, "") }

// sameAs refuses sections that would be of other code, or another machine, than the runs.
func (f *findings) sameAs(s *session) error {
	switch {
	case !f.page.Machine.SameAs(s.machine):
		return &exitError{exitUsage, "--sections: the runs are of another machine than this: leave it out, or measure all of the page here"}
	case f.page.Revision != s.revision:
		return &exitError{exitUsage, fmt.Sprintf("--sections: the runs are of revision %s, and this is %s: leave it out, or measure all of the page anew", f.page.Revision, s.revision)}
	}
	return nil
}

// usable refuses a run that no other may be held against.
func usable(path string, run results.Run) error {
	switch {
	case !run.Valid:
		return unusable(path, "the run is invalid: "+strings.Join(run.Invalid, "; "))
	case run.Status != results.StatusFinished:
		return unusable(path, fmt.Sprintf("the run is %s", run.Status))
	}
	return nil
}

func unusable(path, problem string) error {
	return &results.InputError{Path: path, Problem: problem, Want: "a baseline wants a whole, valid run of the same machine"}
}

// history is the part of the page that people write. A page that was edited
// elsewhere is not overwritten without a word: what it says would be lost.
func (f *baselineFlags) history() (string, error) {
	old, err := results.ReadBaseline(f.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("the old page would be lost; move it away to begin anew: %w", err)
	}
	return old.History, nil
}

// measure runs the scenarios, and gives their directories. The first that can't be
// used ends it: the rest would be measured for nothing.
func (f *baselineFlags) measure(ctx context.Context, s *session, names []string) ([]string, error) {
	var dirs []string
	for _, name := range names {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		m, err := f.measureOne(ctx, s, spec, "fleetmark run "+name)
		if err != nil {
			return nil, err
		}
		if err := usable(m.Directory, m.Run); err != nil {
			return nil, &exitError{exitInvalid, err.Error()}
		}
		dirs = append(dirs, m.Directory)
	}
	return dirs, nil
}

// measureOne runs a scenario to its end.
func (f *baselineFlags) measureOne(ctx context.Context, s *session, spec scenarios.Spec, command string) (*measured, error) {
	m, err := s.measure(ctx, scenarios.Options{Spec: spec, Command: command})
	switch {
	case m == nil:
		return nil, err
	case m.Run.Status == results.StatusInterrupted:
		said := &exitError{exitInterrupted, "interrupted: " + f.file + " is as it was; what was measured is in " + m.Directory}
		return nil, errors.Join(said, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", m.Directory, err)
	}
	return m, nil
}

// checkPage says whether the page may still be believed.
func (f *baselineFlags) checkPage(ctx context.Context, c console) error {
	page, err := results.ReadBaseline(f.file)
	if err != nil {
		return err
	}
	var stale []string
	for _, name := range baselineScenarios() {
		old, ok := page.Scenario(name)
		if !ok {
			stale = append(stale, "lacks scenario "+name)
			continue
		}
		spec, err := scenarios.Find(name)
		if err != nil {
			return err
		}
		digest, err := spec.WorkloadDigest(ctx)
		if err != nil {
			return err
		}
		if digest != old.WorkloadDigest {
			stale = append(stale, "scenario "+name+" has changed since it was measured")
		}
	}
	stale = append(stale, vanishedUnits(page)...)
	remedy := "`fleetmark baseline` measures it anew"
	in, err := project.Find(".")
	if err != nil {
		return err
	}
	text, err := (&findings{page: page, project: in}).stale()
	if err != nil {
		return err
	}
	if len(stale) == 0 && len(page.Sections) > 0 {
		remedy = "`fleetmark baseline --text` writes that anew and measures nothing"
	}
	if stale = append(stale, text...); len(stale) > 0 {
		var lines strings.Builder
		for _, s := range stale {
			fmt.Fprintf(&lines, "%s: %s\n", f.file, s)
		}
		return &exitError{exitRegressed, fmt.Sprintf("%s%s is stale: %s", lines.String(), f.file, remedy)}
	}
	_, err = fmt.Fprintf(c.out, "%s: well; %d scenarios and %d sections from %s%s\n", f.file, len(page.Scenarios), len(page.Sections), page.Machine, changedSince(page))
	return err
}

// rewrite writes what the page takes from the code, and leaves the rest of it as it is.
func (f *baselineFlags) rewrite(c console) error {
	page, err := results.ReadBaseline(f.file)
	if err != nil {
		return err
	}
	in, err := project.Find(".")
	if err != nil {
		return err
	}
	found := &findings{page: page, project: in, kept: page.Sections}
	if err := found.sections(); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := results.WriteBaseline(&text, *page); err != nil {
		return err
	}
	if err := results.AtomicWriteFile(f.file, text.Bytes()); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
	}
	_, err = fmt.Fprintf(c.out, "%s: written anew but for what was measured\n", f.file)
	return err
}

// changedSince says that the code which was measured has changed, where that can be
// told. It makes no page stale: that is what the page is for, to be held against.
func changedSince(page *results.Baseline) string {
	was, kept := page.Sources[measuredRoom]
	root, ok := checkoutRoot()
	if !kept || !ok {
		return ""
	}
	if now, err := sourceDigest(root, measuredRoom); err != nil || now == was {
		return ""
	}
	return "; " + measuredRoom + " has changed since"
}

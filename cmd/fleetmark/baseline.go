package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// baselineFlags are the flags of baseline.
type baselineFlags struct {
	check bool
	file  string
	from  []string
	out   string
	quiet bool
}

func newBaseline(c console) *cobra.Command {
	var f baselineFlags
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Measure the baseline and write " + results.BaselineFile,
		Long: `Runs the scenarios of the baseline (` + "rollout, throughput" + `) and writes the page that later
runs are held against. What people wrote under "Optimization history" is kept.

--check changes nothing: it fails where the page can't be read, was edited by hand,
or is stale, lacking a scenario or having one that has changed since.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseEmpty(cmd, "file", "out"); err != nil {
				return err
			}
			if f.check {
				return f.checkPage(cmd.Context(), c)
			}
			return f.write(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.check, "check", false, "fail where the page is stale or was edited by hand")
	flags.StringVar(&f.file, "file", results.BaselineFile, "the page")
	flags.StringArrayVar(&f.from, "from", nil, "take this run directory instead of measuring (once a scenario)")
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.BoolVar(&f.quiet, "no-progress", false, "show no progress")
	return cmd
}

// baselineScenarios are what the page holds.
func baselineScenarios() []string { return []string{"rollout", "throughput"} }

func (f *baselineFlags) write(ctx context.Context, c console) error {
	history, err := f.history()
	if err != nil {
		return err
	}
	dirs := f.from
	if len(dirs) == 0 {
		if err := results.CanWrite(f.file); err != nil { // before minutes are spent
			return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
		}
		if dirs, err = f.measure(ctx, baselineScenarios(), c); err != nil {
			return err
		}
	}
	var notes []string
	page := results.Baseline{Created: time.Now().UTC().Truncate(time.Second), History: history}
	for _, dir := range dirs {
		run, err := results.LoadRun(dir)
		if err != nil {
			return err
		}
		if err := usable(run.Path, run.Run); err != nil {
			return err
		}
		if len(page.Scenarios) > 0 && !run.Machine.SameAs(page.Machine) {
			return unusable(run.Path, "it was measured on another machine than the first")
		}
		if disturbed := run.Harness.Interference.Disturbed(); disturbed != "" {
			notes = append(notes, fmt.Sprintf("%s: %s meanwhile: measure on a machine at rest if you can", run.Path, disturbed))
		}
		page.Machine, page.Revision, page.GoVersion = run.Machine, run.Revision, run.Machine.GoVersion
		page.Scenarios = append(page.Scenarios, results.BaselineScenario{
			Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: run.Command, Repetitions: run.Repetitions,
			Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly, Interference: run.Harness.Interference, Yardstick: run.Harness.Yardstick, Records: run.Records,
		})
	}
	var text bytes.Buffer
	if err := results.WriteBaseline(&text, page); err != nil {
		return err
	}
	if err := results.AtomicWriteFile(f.file, text.Bytes()); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
	}
	for _, note := range notes {
		_, _ = fmt.Fprintln(c.err, "fleetmark:", note) // for a person; the page says it as well
	}
	_, err = fmt.Fprintf(c.out, "%s: %d scenarios from %s\n", f.file, len(page.Scenarios), page.Machine)
	return err
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
func (f *baselineFlags) measure(ctx context.Context, names []string, c console) ([]string, error) {
	form := progressAuto
	if f.quiet {
		form = progressNone
	}
	s, err := newSession(ctx, c, f.out, form)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, name := range names {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		m, err := s.measure(ctx, scenarios.Options{Spec: spec, Command: "fleetmark run " + name})
		if m == nil {
			return nil, err
		}
		switch {
		case m.Run.Status == results.StatusInterrupted:
			said := &exitError{exitInterrupted, "interrupted: " + f.file + " is as it was; what was measured is in " + m.Directory}
			return nil, errors.Join(said, err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", m.Directory, err)
		}
		if err := usable(m.Directory, m.Run); err != nil {
			return nil, &exitError{exitInvalid, err.Error()}
		}
		dirs = append(dirs, m.Directory)
	}
	return dirs, nil
}

// checkPage says whether the page may still be believed.
func (f *baselineFlags) checkPage(ctx context.Context, c console) error {
	page, err := results.ReadBaseline(f.file)
	if err != nil {
		return err
	}
	var stale []error
	for _, name := range baselineScenarios() {
		old, ok := page.Scenario(name)
		if !ok {
			stale = append(stale, fmt.Errorf("%s lacks scenario %s", f.file, name))
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
			stale = append(stale, fmt.Errorf("%s: scenario %s has changed since it was measured", f.file, name))
		}
	}
	if len(stale) > 0 {
		return &exitError{exitRegressed, fmt.Sprintf("%v\n%s is stale: `fleetmark baseline` measures it anew", errors.Join(stale...), f.file)}
	}
	_, err = fmt.Fprintf(c.out, "%s: well; %d scenarios from %s\n", f.file, len(page.Scenarios), page.Machine)
	return err
}

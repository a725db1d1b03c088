package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
			if f.check {
				return f.checkPage(cmd.Context(), c)
			}
			return f.write(cmd, c)
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

func (f *baselineFlags) write(cmd *cobra.Command, c console) error {
	history, err := f.history()
	if err != nil {
		return err
	}
	dirs := f.from
	if len(dirs) == 0 {
		if dirs, err = f.measure(cmd, c); err != nil {
			return err
		}
	}
	page := results.Baseline{Created: time.Now().UTC().Truncate(time.Second), History: history}
	for _, dir := range dirs {
		run, err := results.LoadRun(dir)
		if err != nil {
			return err
		}
		if err := fit(run, page.Machine, len(page.Scenarios) > 0); err != nil {
			return err
		}
		page.Machine, page.Revision, page.GoVersion = run.Machine, run.Revision, run.Machine.GoVersion
		page.Scenarios = append(page.Scenarios, results.BaselineScenario{
			Name: run.Scenario, WorkloadDigest: run.WorkloadDigest, Command: run.Command, Repetitions: run.Repetitions,
			Counts: run.Counts, ClientsWordOnly: run.ClientsWordOnly, Records: run.Records,
		})
	}
	var text bytes.Buffer
	if err := results.WriteBaseline(&text, page); err != nil {
		return err
	}
	if err := results.AtomicWriteFile(f.file, text.Bytes()); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--file %s: %v", f.file, err)}
	}
	_, err = fmt.Fprintf(c.out, "%s: %d scenarios from %s\n", f.file, len(page.Scenarios), page.Machine)
	return err
}

// fit refuses a run that no other may be held against.
func fit(run *results.LoadedRun, machine results.Machine, second bool) error {
	bad := func(format string, args ...any) error {
		return &results.InputError{Path: run.Path, Problem: fmt.Sprintf(format, args...), Want: "a baseline wants a whole, valid run of the same machine"}
	}
	switch {
	case run.Unfinished || run.Status != results.StatusFinished:
		return bad("the run is %s", run.Status)
	case !run.Valid:
		return bad("the run is invalid: %v", run.Invalid)
	case second && !run.Machine.SameAs(machine):
		return bad("it was measured on another machine than the first")
	}
	return nil
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

// measure runs the baseline's scenarios, and gives their directories.
func (f *baselineFlags) measure(cmd *cobra.Command, c console) ([]string, error) {
	machine, err := results.ThisMachine(cmd.Context())
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	rev := revision(cmd.Context())
	var dirs []string
	for _, name := range baselineScenarios() {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		view := newWatcher(c.err, f.quiet)
		res, err := scenarios.Run(cmd.Context(), scenarios.Options{
			Spec: spec, FleetCommand: []string{program, "fleet", "--driven"}, Out: f.out,
			Command: "fleetmark run " + name, Revision: rev, Machine: machine, Watcher: view, Stderr: c.err,
		})
		view.close()
		if err != nil {
			return nil, err
		}
		if res.Run.Status == results.StatusInterrupted {
			return nil, &exitError{exitInterrupted, "interrupted: " + f.file + " is as it was; what was measured is in " + res.Directory}
		}
		dirs = append(dirs, res.Directory)
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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// gateBaseline holds finished runs, or runs of now, against the baseline page.
func gateBaseline(cmd *cobra.Command, f *gateFlags, names []string, c console) error {
	ctx := cmd.Context()
	base, err := results.ReadBaseline(f.baseline)
	if err != nil {
		return err
	}
	var wanted []string
	var runs []*results.LoadedRun
	if len(f.runs) > 0 {
		if wanted, err = scenarioNames(names); err != nil {
			return err
		}
		runs, err = f.load(wanted)
	} else {
		var specs []scenarios.Spec
		if specs, err = f.specs(base, names); err != nil {
			return err
		}
		for _, s := range specs {
			wanted = append(wanted, s.Name)
		}
		runs, err = f.measure(ctx, base, specs, c)
	}
	if err != nil {
		return err
	}
	g := results.HoldGate(base, wanted, runs, results.GateOptions{PortableOnly: f.portable})
	if err := ctx.Err(); err != nil { // an interrupted command writes nothing
		return err
	}
	return f.tell(g, base, runs, c)
}

// scenarioNames are what the scenarios are called that names or files stand for. A name
// that the catalogue lacks may be of a file that is no longer there.
func scenarioNames(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if !slices.Contains(scenarios.Names(), name) && !strings.ContainsAny(name, `./\`) {
			all = append(all, name)
			continue
		}
		_, members, err := scenarios.Members(name)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			s, err := scenarios.Find(m)
			if err != nil {
				return nil, err
			}
			all = append(all, s.Name)
		}
	}
	return all, nil
}

// load reads the runs that --run names. One of a scenario that wasn't asked for is a
// mistake of the command line.
func (f *gateFlags) load(wanted []string) ([]*results.LoadedRun, error) {
	var runs []*results.LoadedRun
	for _, dir := range f.runs {
		run, err := results.LoadRun(dir)
		if err != nil {
			return nil, err
		}
		if err := run.CheckWhole(); err != nil {
			return nil, err
		}
		if len(wanted) > 0 && !slices.Contains(wanted, run.Scenario) {
			return nil, &exitError{exitUsage, fmt.Sprintf("--run %s: is of the scenario %s, and %s was asked for: leave one of the two out", dir, run.Scenario, strings.Join(wanted, ", "))}
		}
		for _, other := range runs {
			if same(other.Path, run.Path) {
				return nil, &exitError{exitUsage, fmt.Sprintf("--run %s: is given twice", dir)}
			}
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// same reports whether two paths are of one directory.
func same(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// specs are the scenarios to run: those that are named, or the baseline's.
func (f *gateFlags) specs(base *results.Baseline, names []string) ([]scenarios.Spec, error) {
	if len(names) == 0 {
		for _, s := range base.Scenarios {
			if !slices.Contains(scenarios.Names(), s.Name) {
				return nil, &exitError{exitUsage, fmt.Sprintf("%s has the scenario %s, which the catalogue lacks: name its file, or a finished run with --run", f.baseline, s.Name)}
			}
			names = append(names, s.Name)
		}
	}
	return changedSpecs(names, f.sets)
}

// measure runs the scenarios, once it is sure that the baseline can judge each.
func (f *gateFlags) measure(ctx context.Context, base *results.Baseline, specs []scenarios.Spec, c console) ([]*results.LoadedRun, error) {
	for _, s := range specs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, ok := base.Scenario(s.Name)
		if !ok {
			return nil, &exitError{exitUsage, fmt.Sprintf("%s doesn't have the scenario %s, so nothing was run: `fleetmark baseline --from RUN` takes it up", f.baseline, s.Name)}
		}
		digest, err := s.WorkloadDigest(ctx)
		if err != nil {
			return nil, err
		}
		if digest != old.WorkloadDigest {
			return nil, &exitError{exitUsage, fmt.Sprintf("scenario %s isn't what %s was measured with (%s), so nothing was run: run that, or measure the baseline anew", s.Name, f.baseline, old.Command)}
		}
	}
	form := progressAuto
	if f.quiet {
		form = progressNone
	}
	session, err := newSession(ctx, c, f.out, form)
	if err != nil {
		return nil, err
	}
	session.base = base
	var runs []*results.LoadedRun
	for _, s := range specs {
		m, err := session.measure(ctx, scenarios.Options{Spec: s, Command: commandLine(os.Args[1:])})
		if m == nil {
			return nil, err
		}
		if m.Run.Status == results.StatusInterrupted {
			said := &exitError{exitInterrupted, "interrupted: nothing is judged; what was measured is in " + m.Directory}
			return nil, errors.Join(said, err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Directory, err)
		}
		run, err := results.LoadRun(m.Directory) // what others will find
		if err != nil {
			return nil, err
		}
		if err := run.CheckWhole(); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

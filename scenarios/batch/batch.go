// Package batch runs scenarios one after another, and judges and reports each once.
//
// Its input is scenarios, which [Resolve] finds by their names or files, and a baseline with the
// policy by which runs are judged. [Run] returns a [Result] for each scenario: the run, its
// judgment, and the document from which it wrote report.md and report.html into the run directory.
// A scenario that is interrupted, or that can't be run to its end, ends the batch; what was
// measured is kept.
//
// It knows neither flags nor exit codes, and prints nothing.
package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// Options is what all scenarios of a batch have in common.
type Options struct {
	Baseline *baseline.Page // that runs are compared with, or nil
	Policy   judge.Policy

	Out          string   // the directory in which run directories are made
	FleetCommand []string // the program and its arguments that lead to target.Serve
	NoopClient   []string // the program and its arguments that lead to process.ServeNoop; may be nil
	Revision     string   // of the source of the running program
	Machine      results.Machine
	Stderr       io.Writer // where a fleet's process writes its errors

	Client *runner.NamedClient // drives the devices; nil: the client of package delivery

	// Start begins a run; nil: a run in this process, as [runner.Start] does.
	Start func(context.Context, runner.Options) (Running, error)

	View func() View   // returns what shows the next scenario; nil: nothing is shown
	Done func(*Result) // is called with each result, before the next scenario begins; may be nil
}

// A Running is a run that has begun, such as a [*runner.Running]. Measure is called once, and
// Finish after it.
type Running interface {
	Measure(context.Context) (*runner.Result, error)
	Finish(results.Verdict) error
}

// start begins a run in this process.
func start(ctx context.Context, o runner.Options) (Running, error) {
	r, err := runner.Start(ctx, o)
	if err != nil {
		return nil, err // don't return r, since a nil *Running isn't a nil Running
	}
	return r, nil
}

// RunnerOptions returns the options of a run that are the same for all scenarios.
func (o Options) RunnerOptions() runner.Options {
	var s runner.Options
	o.set(&s)
	return s
}

// set sets the options of a run that are the same for all scenarios.
func (o Options) set(s *runner.Options) {
	s.Target.Command, s.Target.Stderr, s.NoopClient = o.FleetCommand, o.Stderr, o.NoopClient
	s.Out, s.Revision, s.Machine, s.Client = o.Out, o.Revision, o.Machine, o.Client
}

// A View shows a scenario while it runs. It is closed when the scenario has ended.
type View interface {
	runner.Observer
	Close()
}

// A Result is a run that measured something, the judgment of it, and the document about it.
type Result struct {
	*runner.Result
	Judgement *judge.Judgement
	Document  *report.Document
	Err       error // why the run failed; nil if it finished or was only interrupted
}

// Interrupted reports whether the run was interrupted.
func (r *Result) Interrupted() bool { return r.Run.Status == results.StatusInterrupted }

// Run runs the scenarios of list, which must be valid, one after another. Where o and the options
// of a scenario have the same setting, that of o counts. Run ends at the first scenario that fails
// or is interrupted. It returns a result for each scenario that measured anything, including the
// one that failed. The error is that of the last result, or says why a scenario could not begin;
// that scenario has no result.
func Run(ctx context.Context, o Options, list []runner.Options) ([]*Result, error) {
	var all []*Result
	for _, s := range list {
		r, err := o.run(ctx, s)
		if r == nil {
			return all, err
		}
		all = append(all, r)
		if o.Done != nil {
			o.Done(r)
		}
		if r.Err != nil || r.Interrupted() {
			return all, r.Err
		}
	}
	return all, nil
}

// run runs one scenario, judges it and writes its reports. It returns an error only if nothing was
// measured.
func (o Options) run(ctx context.Context, s runner.Options) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	closeView := func() {}
	if o.View != nil {
		view := o.View()
		s.Observer, closeView = view, view.Close
	}
	o.set(&s)
	begin := o.Start
	if begin == nil {
		begin = start
	}
	running, err := begin(ctx, s)
	if err != nil {
		closeView()
		return nil, err
	}
	measured, err := running.Measure(ctx)
	r := &Result{Result: measured, Judgement: judge.Judge(o.Baseline, measured.Run, measured.Records, o.Policy)}
	err = errors.Join(err, running.Finish(r.Judgement.Verdict))
	closeView()
	now := report.RunSide(rundir.Loaded{Run: r.Run, Path: r.Directory, Records: r.Records})
	now.Read()
	base := report.BaselineSide(o.Baseline, r.Run.Scenario)
	r.Document = report.New(report.ModeRun, report.Input{
		Scenario: r.Run.Scenario, Judgement: r.Judgement, Base: base, Now: now,
	})
	r.Err = errors.Join(err, r.writeReports())
	return r, nil
}

// writeReports writes report.md and report.html. It tries to write each even if the other fails.
func (r *Result) writeReports() error {
	write := func(name string, render func(io.Writer) error) error {
		var page bytes.Buffer
		if err := render(&page); err != nil {
			return err
		}
		return atomicfile.Write(filepath.Join(r.Directory, name), page.Bytes())
	}
	return errors.Join(
		write(rundir.ReportFile, func(w io.Writer) error { return report.Markdown(w, r.Document) }),
		write(rundir.HTMLFile, func(w io.Writer) error { return htmlpage.Write(w, r.Document, "") }),
	)
}

// Resolve returns the scenarios that names and files stand for, each parsed once. If the only name
// stands for a suite, it returns the suite's name and its scenarios; a suite among other names is
// an error.
func Resolve(names []string) (specs []scenarios.Spec, suite string, err error) {
	for _, name := range names {
		of, members, err := scenarios.ExpandSuite(name)
		if err != nil {
			return nil, "", err
		}
		if of != "" && len(names) > 1 {
			return nil, "", errors.New(name + " is a suite: run it alone")
		}
		specs, suite = append(specs, members...), of
	}
	return specs, suite, nil
}

// ResolveDistinct returns the scenarios that names, files and suites stand for, with the changes in
// sets, each KEY=VALUE. Two scenarios with the same name are an error, because their samples
// couldn't be told apart.
func ResolveDistinct(names, sets []string) ([]scenarios.Spec, error) {
	var specs []scenarios.Spec
	for _, name := range names {
		_, members, err := scenarios.ExpandSuite(name)
		if err != nil {
			return nil, err
		}
		for _, s := range members {
			for _, set := range sets {
				err = errors.Join(err, s.Set(set))
			}
			if err = errors.Join(err, s.Validate()); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(specs, func(o scenarios.Spec) bool { return o.Name == s.Name }) {
				return nil, fmt.Errorf("scenario %s: is named twice", s.Name)
			}
			specs = append(specs, s)
		}
	}
	return specs, nil
}

// Names returns the names of the scenarios that names, files and suites stand for. It returns a
// name that isn't in the catalog unchanged, since the scenario's file may be gone.
func Names(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if !slices.Contains(scenarios.CatalogNames(), name) && !strings.ContainsAny(name, `./\`) {
			all = append(all, name)
			continue
		}
		_, members, err := scenarios.ExpandSuite(name)
		if err != nil {
			return nil, err
		}
		for _, s := range members {
			all = append(all, s.Name)
		}
	}
	return all, nil
}

// SuiteRow returns the run's row in the table of a suite.
func (r *Result) SuiteRow() SuiteRow {
	result := "passed"
	switch v := r.Judgement.Verdict; v {
	case results.Regressed:
		result = "failed"
	case results.Inconclusive, results.Invalid:
		result = string(v)
	}
	return SuiteRow{
		Test: r.Run.Scenario, Result: result, Passed: result == "passed",
		Duration: r.Run.Finished.Sub(r.Run.Started), Notes: r.note(),
	}
}

// note returns why the run failed, or else the most important figures that fit on a line.
func (r *Result) note() string {
	run := r.Run
	switch summary := results.ThresholdSummary(run.Thresholds); {
	case len(run.Invalid) > 0:
		return run.Invalid[0]
	case summary != "":
		return summary
	case len(results.UndecidedThresholds(run.Thresholds)) > 0:
		return results.UndecidedSummary(run.Thresholds)
	case r.Judgement.Compared == results.Regressed || r.Judgement.Compared == results.Inconclusive:
		return report.ComparedSentence(r.Judgement)
	}
	c := run.Counts
	parts := []string{
		fmt.Sprintf("%s of %s devices updated", plaintext.Thousands(c.Updated), plaintext.Thousands(c.Devices)),
	}
	if c.Failed > 0 {
		parts = append(parts, plaintext.Thousands(c.Failed)+" failed")
	}
	medians := results.Medians(r.Records)
	for _, op := range []string{"deliver", "push", "verify"} {
		of, ok := medians[op]
		if _, whole := of[results.UnitRate]; !ok || !whole {
			continue
		}
		for _, shown := range []struct{ unit, name string }{
			{results.UnitP50, "p50 "}, {results.UnitToUpdatedP50, "updated after p50 "}, {results.UnitThroughput, ""},
			{results.UnitRetries, "retries a device "}, {results.UnitFailedP99, "failures within "},
		} {
			v, ok := of[shown.unit]
			if ok && (v != 0 || shown.unit == results.UnitP50) {
				parts = append(parts, shown.name+results.FormatValue(v, shown.unit))
			}
		}
		break
	}
	return strings.Join(parts, ", ")
}

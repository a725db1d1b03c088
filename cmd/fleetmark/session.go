package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
)

// session is what the scenarios of one command line share.
type session struct {
	term     console
	base     *results.Baseline // nil: none to hold the runs against
	machine  results.Machine
	program  string // this one, which starts itself again as the fleet
	revision string
	out      string
	progress progressForm
}

func newSession(ctx context.Context, c console, out string, progress progressForm) (*session, error) {
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &session{term: c, machine: machine, program: program, revision: revision(ctx), out: out, progress: progress}, nil
}

// measured is a run that came to an end, and what that is worth.
type measured struct {
	*scenarios.Result
	judgement *results.Judgement
}

// measure runs a scenario and writes its report. The options lack only what the
// session knows. Where there is an error and something measured, both are given;
// without anything measured the first is nil.
func (s *session) measure(ctx context.Context, o scenarios.Options) (*measured, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	view := newWatcher(s.term.err, s.progress)
	o.FleetCommand = []string{s.program, "fleet", "--driven"}
	o.Out, o.Revision, o.Machine, o.Watcher, o.Stderr = s.out, s.revision, s.machine, view, s.term.err
	o.Judge = func(run results.Run, records []results.Record) results.Verdict {
		return results.JudgeRun(s.base, run, records).Verdict
	}
	res, err := scenarios.Run(ctx, o)
	view.close()
	if res == nil {
		return nil, err
	}
	m := &measured{res, results.JudgeRun(s.base, res.Run, res.Records)}
	return m, errors.Join(err, m.writeReport(s.base))
}

// writeReport writes report.md and report.html. Where one can't be written, the other may.
func (m *measured) writeReport(base *results.Baseline) error {
	subject := report.OfRun(results.LoadedRun{Run: m.Run, Path: m.Directory, Records: m.Records}, m.judgement)
	subject.Base = report.BaselineSide(base, m.Run.Scenario)
	subject.Now.Read()
	write := func(name string, render func(io.Writer, *report.Subject) error) error {
		var page bytes.Buffer
		if err := render(&page, subject); err != nil {
			return err
		}
		return results.AtomicWriteFile(filepath.Join(m.Directory, name), page.Bytes())
	}
	return errors.Join(write(results.ReportFile, report.Markdown), write(results.HTMLFile, report.HTML))
}

// exitCode is that of a run that came to its end. demanded: a judgement was asked
// for by name. A threshold that failed is as bad as a regression, unless the numbers
// mean nothing.
func (m *measured) exitCode(demanded bool) int {
	code := codeOfVerdict(m.judgement.Verdict, demanded)
	if len(results.FailedThresholds(m.Run.Thresholds)) > 0 && rank(code) < rank(exitRegressed) {
		return exitRegressed
	}
	return code
}

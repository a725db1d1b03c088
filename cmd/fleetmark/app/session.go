package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// session is what the scenarios of one command line share.
type session struct {
	term     cli.Console
	base     *baseline.Page // to compare the runs with, or nil
	policy   judge.Policy   // what is asked of each run
	machine  results.Machine
	fleet    []string // the command that starts this program as a fleet
	revision string
	out      string
	progress progress.Mode
}

func newSession(ctx context.Context, c cli.Console, out string, mode progress.Mode) (*session, error) {
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil, err
	}
	fleet, err := cli.FleetCommand()
	if err != nil {
		return nil, err
	}
	return &session{term: c, machine: machine, fleet: fleet, revision: revision(ctx), out: out, progress: mode}, nil
}

// measured is a run that came to an end, and the document about it.
type measured struct {
	*scenarios.Result
	judgement *judge.Judgement
	document  *report.Document
}

// measure runs a scenario and writes its report. The options lack only what the
// session knows. Where there is an error and something measured, both are given;
// without anything measured the first is nil.
func (s *session) measure(ctx context.Context, o scenarios.Options) (*measured, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	view := progress.New(s.term.Err, s.progress)
	o.FleetCommand = s.fleet
	o.Out, o.Revision, o.Machine, o.Watcher, o.Stderr = s.out, s.revision, s.machine, view, s.term.Err
	running, err := scenarios.Start(ctx, o)
	if err != nil {
		view.Close()
		return nil, err
	}
	res, err := running.Measure(ctx)
	m := &measured{Result: res, judgement: judge.Judge(s.base, res.Run, res.Records, s.policy)}
	err = errors.Join(err, running.Finish(m.judgement.Verdict))
	view.Close()
	m.document = m.newDocument(s.base)
	return m, errors.Join(err, m.writeReport())
}

// newDocument returns what there is to report on the run.
func (m *measured) newDocument(base *baseline.Page) *report.Document {
	now := report.RunSide(rundir.Loaded{Run: m.Run, Path: m.Directory, Records: m.Records})
	now.Read()
	return report.New(report.ModeRun, report.Input{
		Scenario: m.Run.Scenario, Judgement: m.judgement, Base: report.BaselineSide(base, m.Run.Scenario), Now: now,
	})
}

// writeReport writes report.md and report.html. If one can't be written, the other may.
func (m *measured) writeReport() error {
	write := func(name string, render func(io.Writer, *report.Document) error) error {
		var page bytes.Buffer
		if err := render(&page, m.document); err != nil {
			return err
		}
		return atomicfile.Write(filepath.Join(m.Directory, name), page.Bytes())
	}
	return errors.Join(write(rundir.ReportFile, report.Markdown), write(rundir.HTMLFile, htmlForm("", "").render))
}

// show prints the run, as tables or as a JSON object with the exit code, and says on standard error that
// operations failed, which the exit code needn't say.
func (m *measured) show(c cli.Console, asJSON, all bool, code int) error {
	if failures := m.document.Results[0].Failures(); failures != "" {
		_, _ = fmt.Fprintln(c.Err, "fleetmark:", failures) // a note; the run directory has it all
	}
	m.document.ExitCode = code
	var page bytes.Buffer
	if err := printed(&page, m.document, c, asJSON, all); err != nil {
		return err
	}
	_, err := c.Out.Write(page.Bytes())
	return err
}

// broken returns the error that a run ended with, which may be nil. What made the run invalid is an
// [cli.ExitError]; m is nil if nothing was measured.
func (m *measured) broken(err error) error {
	if err == nil || m == nil || len(m.Run.Invalid) == 0 {
		return err
	}
	return errors.Join(&cli.ExitError{Code: cli.ExitInvalid}, err)
}

// codeOf returns the exit code of a run that ended with err, which may be nil; m is nil if nothing was measured.
func (m *measured) codeOf(err error) int {
	switch {
	case m != nil && m.Run.Status == results.StatusInterrupted:
		return cli.ExitInterrupted
	case err != nil:
		return cli.CodeOf(m.broken(err))
	}
	return cli.CodeOfVerdict(m.judgement.Verdict)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
)

// session is what the scenarios of one command line share.
type session struct {
	*runFlags
	term     console
	base     *results.Baseline
	machine  results.Machine
	program  string
	revision string
	command  string
}

// scenario runs one and shows what it came to.
func (s *session) scenario(ctx context.Context, spec scenarios.Spec) (code int, err error) {
	view := newWatcher(s.term.err, s.noProgress)
	var judgement *results.Judgement
	res, err := scenarios.Run(ctx, scenarios.Options{
		Spec:  spec,
		Fleet: s.fleet, FleetCommand: []string{s.program, "fleet", "--driven"},
		FleetControl: s.control, FleetToken: os.Getenv(tokenVariable), DevicesFrom: s.devicesFrom,
		Out: s.out, Command: s.command, Revision: s.revision, Machine: s.machine,
		Watcher: view, Stderr: s.term.err,
		Judge: func(run results.Run, records []results.Record) results.Verdict {
			judgement = results.JudgeRun(s.base, run, records)
			return judgement.Verdict
		},
	})
	view.close()
	if res == nil {
		return 0, err
	}
	if judgement == nil { // interrupted, failed or invalid: the table is shown all the same
		judgement = results.JudgeRun(s.base, res.Run, res.Records)
	}
	err = errors.Join(err, writeReport(res, judgement), s.show(res, judgement))
	if err != nil {
		return 0, err
	}
	if res.Run.Status == results.StatusInterrupted {
		return exitInterrupted, nil
	}
	return codeOfVerdict(judgement.Verdict, s.demanded()), nil
}

func writeReport(res *scenarios.Result, j *results.Judgement) error {
	var page bytes.Buffer
	err := report.Markdown(&page, results.LoadedRun{Run: res.Run, Path: res.Directory, Records: res.Records}, j)
	if err != nil {
		return err
	}
	return results.AtomicWriteFile(filepath.Join(res.Directory, results.ReportFile), page.Bytes())
}

// show prints the table, or the JSON object.
func (s *session) show(res *scenarios.Result, j *results.Judgement) error {
	if s.json {
		return s.showJSON(res, j)
	}
	var page bytes.Buffer
	if len(res.Records) > 0 {
		if err := j.WriteTable(&page, tableOptions(s.term.out)); err != nil {
			return err
		}
	}
	run := res.Run
	if run.Repetitions > 0 {
		fmt.Fprintf(&page, "\n%s\n", outcome(run))
	}
	if len(res.Records) == 0 { // no table said it
		for _, reason := range run.Invalid {
			fmt.Fprintf(&page, "invalid: %s\n", reason)
		}
	}
	if run.Status == results.StatusInterrupted {
		fmt.Fprintf(&page, "interrupted: %d of the timed repetitions were measured, and are kept\n", run.Repetitions)
	}
	fmt.Fprintf(&page, "run: %s\n", res.Directory)
	_, err := s.term.out.Write(page.Bytes())
	return err
}

// outcome says what became of the devices, and who says so.
func outcome(run results.Run) string {
	who := "as the fleet's ledger confirms"
	if run.ClientsWordOnly {
		who = "client's word only: these devices keep no ledger"
	}
	return fmt.Sprintf("%v: the worst of %d repetitions, %s", run.Counts, len(run.RepetitionCounts), who)
}

// runJSON is the object that `run --json` prints, a contract with scripts.
type runJSON struct {
	Run         string                        `json:"run"`
	Scenario    string                        `json:"scenario"`
	Status      results.Status                `json:"status"`
	Verdict     results.Verdict               `json:"verdict"` // empty: nothing to judge by
	Reason      string                        `json:"reason"`
	Valid       bool                          `json:"valid"`
	Invalid     []string                      `json:"invalid,omitempty"`
	Repetitions int                           `json:"repetitions"`
	Counts      results.Counts                `json:"counts"` // of the worst repetition
	ClientsWord bool                          `json:"clients_word_only"`
	Metrics     map[string]map[string]float64 `json:"metrics"` // medians
	Fleet       results.FleetHealth           `json:"fleet"`
	Harness     results.HarnessHealth         `json:"harness"`
	Judgement   []results.JudgedRow           `json:"judgement,omitempty"`
}

func (s *session) showJSON(res *scenarios.Result, j *results.Judgement) error {
	run := res.Run
	o := runJSON{
		Run: res.Directory, Scenario: run.Scenario, Status: run.Status, Verdict: j.Verdict, Reason: j.Reason,
		Valid: run.Valid, Invalid: run.Invalid, Repetitions: run.Repetitions, Counts: run.Counts, ClientsWord: run.ClientsWordOnly,
		Metrics: results.Medians(res.Records), Fleet: run.Fleet, Harness: run.Harness,
	}
	if j.HasBaseline {
		o.Judgement = j.Rows
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = s.term.out.Write(append(line, '\n'))
	return err
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/fleetmark/fleetmark/results"
)

// show prints the table on standard output, or the JSON object, and says on
// standard error that operations failed: the exit code needn't.
func (m *measured) show(c console, asJSON bool) error {
	failures := m.failures()
	if failures != "" {
		_, _ = fmt.Fprintln(c.err, "fleetmark:", failures) // a note; the run directory has it all
	}
	if asJSON {
		return m.showJSON(c.out)
	}
	var page bytes.Buffer
	if len(m.Records) > 0 {
		if err := m.judgement.WriteTable(&page, tableOptions(c.out)); err != nil {
			return err
		}
	}
	run := m.Run
	if len(run.Thresholds) > 0 {
		fmt.Fprintln(&page)
		if err := results.WriteThresholds(&page, run.Thresholds, tableOptions(c.out)); err != nil {
			return err
		}
	}
	for _, note := range run.Notes {
		fmt.Fprintf(&page, "\nnote: %s\n", note)
	}
	if summary := results.ThresholdSummary(run.Thresholds); summary != "" {
		fmt.Fprintf(&page, "\n%s\n", summary)
	}
	if len(run.RepetitionCounts) > 0 {
		fmt.Fprintf(&page, "\n%s\n", outcome(run))
	}
	if failures != "" {
		fmt.Fprintln(&page, failures)
	}
	if len(m.Records) == 0 { // no table said it
		for _, reason := range run.Invalid {
			fmt.Fprintf(&page, "invalid: %s\n", reason)
		}
	}
	if run.Status == results.StatusInterrupted {
		fmt.Fprintf(&page, "interrupted: %d of the timed repetitions were measured, and are kept\n", run.Repetitions)
	}
	fmt.Fprintf(&page, "run: %s\n", m.Directory)
	_, err := c.out.Write(page.Bytes())
	return err
}

// outcome says what became of the devices, and who says so.
func outcome(run results.Run) string {
	who := "by the fleet's ledger"
	if run.ClientsWordOnly {
		who = "client's word only: these devices keep no ledger"
	}
	return fmt.Sprintf("%v: the worst of %d repetitions, %s", run.Counts, len(run.RepetitionCounts), who)
}

// failures says that operations failed, where any did.
func (m *measured) failures() string {
	failed, all := worstFailures(m.Run, m.Records)
	if failed == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d operations failed in the worst repetition; see %s", failed, all, filepath.Join(m.Directory, results.FailuresFile))
}

// worstFailures counts the failed operations of the repetition that had most of
// them, and all of its. A record has only what succeeded, and the share that
// failed; a repetition without a success has no record at all, but its devices are
// counted.
func worstFailures(run results.Run, records []results.Record) (failed, all int64) {
	failed, all = int64(run.Counts.Failed), int64(run.Counts.Devices)
	for _, r := range records {
		share, ok := r.Value("failed/device")
		if !ok || share >= 1 {
			continue
		}
		n := int64(math.Round(float64(r.Ops) / (1 - share)))
		if n-r.Ops >= max(failed, 1) {
			failed, all = n-r.Ops, n
		}
	}
	return failed, all
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
	Notes       []string                      `json:"notes,omitempty"`
	Repetitions int                           `json:"repetitions"`
	Counts      results.Counts                `json:"counts"` // of the worst repetition
	ClientsWord bool                          `json:"clients_word_only"`
	Metrics     map[string]map[string]float64 `json:"metrics"` // medians
	Fleet       results.FleetHealth           `json:"fleet"`
	Harness     results.HarnessHealth         `json:"harness"`
	Thresholds  []results.ThresholdOutcome    `json:"thresholds,omitempty"`
	Judgement   []results.JudgedRow           `json:"judgement,omitempty"`
}

func (m *measured) showJSON(w io.Writer) error {
	run, j := m.Run, m.judgement
	o := runJSON{
		Run: m.Directory, Scenario: run.Scenario, Status: run.Status, Verdict: j.Verdict, Reason: j.Reason,
		Valid: run.Valid, Invalid: run.Invalid, Notes: run.Notes, Repetitions: run.Repetitions, Counts: run.Counts, ClientsWord: run.ClientsWordOnly,
		Metrics: results.Medians(m.Records), Fleet: run.Fleet, Harness: run.Harness, Thresholds: run.Thresholds,
	}
	if j.HasBaseline {
		o.Judgement = j.Rows
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

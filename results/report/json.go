package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	"github.com/fleetmark/fleetmark/results"
)

// JSONSchema is the version of what [JSON] writes. A version may gain fields, but no field changes
// its meaning.
const JSONSchema = 1

//go:embed report.schema.json
var schemaText string

// Schema returns the JSON Schema (draft 2020-12) of an object of [ModeReport], and of each result
// in the objects of other modes.
func Schema() string { return schemaText }

// JSON writes the document as one object: indented in [ModeReport], and on one line in all other
// modes. Infinities and NaN become null.
func JSON(w io.Writer, d *Document) error {
	enc := json.NewEncoder(w)
	var object any
	switch {
	case d.notJudged:
		object = notJudgedObject{newOutcome(d), d.Detail}
	case d.Mode == ModeReport:
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		object = reportObject{resultJSON: newResultJSON(d.Results[0], true), Mode: d.Mode, ExitCode: d.ExitCode}
	case d.Mode == ModeRun:
		object = newRunObject(d)
	case d.Mode == ModeBaseline:
		object = newGateObject(d)
	case d.Mode == ModeBase:
		object = newABTestObject(d)
	case d.ABTest != nil:
		object = newBenchObject(d)
	default:
		object = newBenchPageObject(d)
	}
	if err := enc.Encode(object); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// A reportObject is what `report --json` prints: its one result, and the fields of every object.
type reportObject struct {
	resultJSON
	Mode     Mode `json:"mode"`
	ExitCode int  `json:"exit_code"`
}

// A notJudgedObject is what a gate prints if it judged nothing. Scripts rely on it having no other
// fields.
type notJudgedObject struct {
	outcomeJSON
	Detail []string `json:"detail,omitempty"` // such as a compiler's messages
}

// A runObject is what `run --json` prints.
type runObject struct {
	Run         string                        `json:"run"`                  // its directory
	Scenario    string                        `json:"scenario"`             // its name
	Status      results.Status                `json:"status"`               // as in run.json
	Verdict     results.Verdict               `json:"verdict"`              // empty: nothing to judge by
	Reason      string                        `json:"reason"`               // of the verdict, a sentence
	Valid       bool                          `json:"valid"`                // as in run.json
	Invalid     []string                      `json:"invalid,omitempty"`    // as in run.json
	Notes       []string                      `json:"notes,omitempty"`      // as in run.json
	Repetitions int                           `json:"repetitions"`          // as in run.json
	Counts      results.Counts                `json:"counts"`               // as in run.json
	Operations  []results.Operations          `json:"operations"`           // as in run.json
	Rollouts    []results.Rollout             `json:"rollouts,omitempty"`   // as in run.json
	Groups      []results.GroupSummary        `json:"groups,omitempty"`     // of a fleet with groups
	Agents      *results.Agents               `json:"agents,omitempty"`     // as in run.json, of a merged run
	AgentsOff   []results.AgentOff            `json:"agents_off,omitempty"` // the agents that are off from the others
	ClientsWord bool                          `json:"clients_word_only"`    // as in run.json
	Metrics     map[string]map[string]float64 `json:"metrics"`              // medians
	Fleet       results.FleetHealth           `json:"fleet"`                // as in run.json
	Harness     results.HarnessHealth         `json:"harness"`              // as in run.json
	Thresholds  []results.ThresholdOutcome    `json:"thresholds,omitempty"` // as in run.json
	Judgement   []rowJSON                     `json:"judgement,omitempty"`  // a row for each metric
	Partial     *results.Partial              `json:"partial,omitempty"`    // as in run.json; not among the metrics
	Mode        Mode                          `json:"mode"`                 // run
	ExitCode    int                           `json:"exit_code"`            // of this scenario

	encodedResults
}

// An outcomeJSON holds the first fields of a gate's object.
type outcomeJSON struct {
	Mode     Mode            `json:"mode"`
	Verdict  results.Verdict `json:"verdict"`
	Reason   string          `json:"reason"`
	ExitCode int             `json:"exit_code"`
}

func newOutcome(d *Document) outcomeJSON {
	return outcomeJSON{d.Mode, d.Verdict, d.Reason, d.ExitCode}
}

// An encodedResults holds fields of every object except a report's, which is a result itself.
type encodedResults struct {
	Schema  int          `json:"schema"`  // version of the form of the results
	Results []resultJSON `json:"results"` // as in `report --json`, but without samples
}

func encodeResults(d *Document) encodedResults {
	e := encodedResults{JSONSchema, []resultJSON{}}
	for _, r := range d.Results {
		e.Results = append(e.Results, newResultJSON(r, false))
	}
	return e
}

func newRunObject(d *Document) runObject {
	r := d.Results[0]
	run := r.Run
	o := runObject{
		Run: run.Path, Scenario: run.Scenario, Status: run.Status, Verdict: r.Verdict, Reason: r.Reason,
		Valid: run.Valid, Invalid: run.Invalid, Notes: run.Notes, Repetitions: run.Repetitions,
		Counts: run.Counts, Operations: run.Operations, Rollouts: run.Rollouts,
		Groups: r.Now.Groups(), Agents: run.Agents, AgentsOff: run.Agents.Off(), ClientsWord: run.Unconfirmed,
		Metrics: results.Medians(r.Now.Records), Fleet: run.Fleet, Harness: run.Harness,
		Thresholds: r.Thresholds, Partial: run.Partial, Mode: d.Mode, ExitCode: d.ExitCode,
		encodedResults: encodeResults(d),
	}
	if r.HasBaseline {
		o.Judgement = newRowsJSON(r, inJudgement)
	}
	return o
}

// A gateObject is what `gate --baseline --json` prints. Scripts rely on the order of its last three
// fields.
type gateObject struct {
	Mode      Mode               `json:"mode"`
	Verdict   results.Verdict    `json:"verdict"`
	Reason    string             `json:"reason"`
	Reasons   []reasonJSON       `json:"reasons,omitempty"`
	Scenarios []gateScenarioJSON `json:"scenarios"`
	encodedResults
	ExitCode int    `json:"exit_code"`
	Portable bool   `json:"portable"` // only portable metrics were asked for
	Baseline string `json:"baseline"`
}

type gateScenarioJSON struct {
	Scenario   string                     `json:"scenario"`
	Run        string                     `json:"run,omitempty"` // the directory
	Revision   string                     `json:"revision,omitempty"`
	Verdict    results.Verdict            `json:"verdict"`
	Reason     string                     `json:"reason"`
	Judgement  judgementJSON              `json:"judgement"`
	Thresholds []results.ThresholdOutcome `json:"thresholds,omitempty"`
}

type judgementJSON struct {
	Verdict     results.Verdict `json:"verdict"`
	Reason      string          `json:"reason"`
	Rows        []rowJSON       `json:"rows"` // null if there is no run
	HasBaseline bool            `json:"has_baseline"`
	Alpha       float64         `json:"alpha"`
}

func newGateObject(d *Document) gateObject {
	o := gateObject{
		Mode: d.Mode, Verdict: d.Verdict, Reason: d.Reason, Reasons: newReasonsJSON(d.Reasons...),
		encodedResults: encodeResults(d), ExitCode: d.ExitCode, Portable: d.Gate.Portable, Baseline: d.Gate.Baseline,
	}
	for _, r := range d.Results {
		s := gateScenarioJSON{
			Scenario: r.Scenario, Revision: r.Now.Revision, Verdict: r.Verdict, Reason: r.Reason,
			Judgement:  judgementJSON{r.Verdict, r.Reason, newRowsJSON(r, inJudgement), r.HasBaseline, r.Alpha},
			Thresholds: r.Thresholds,
		}
		if r.Run != nil {
			s.Run = r.Run.Path
		}
		o.Scenarios = append(o.Scenarios, s)
	}
	return o
}

// An abtestObject is what `gate --base --json` prints.
type abtestObject struct {
	outcomeJSON
	Base        string   `json:"base"` // revision
	Harness     string   `json:"harness"`
	Now         string   `json:"now"`         // revision
	Changed     []string `json:"changed"`     // files that differ from it
	Differences []string `json:"differences"` // in modules and toolchain
	Failed      string   `json:"failed,omitempty"`
	Stacks      string   `json:"stacks,omitempty"`

	Pairs   int `json:"pairs"`
	Dropped int `json:"dropped"`
	measuredJSON
	Scenarios []string `json:"scenarios"`
	explainedJSON
}

// A measuredJSON holds what was measured in turns.
type measuredJSON struct {
	Layouts    int             `json:"layouts,omitempty"`
	LayoutsErr string          `json:"layouts_error,omitempty"` // why none could be linked
	Seconds    float64         `json:"seconds"`
	Alpha      float64         `json:"alpha"` // chance of any false alarm
	Rows       []rowJSON       `json:"rows"`  // of a benchmark: scenario is the package, op its name
	Machine    results.Machine `json:"machine"`
}

func newMeasured(d *Document) measuredJSON {
	r, test := d.Results[0], d.ABTest
	m := measuredJSON{
		Layouts: test.Layouts, LayoutsErr: errorText(test.LayoutsErr), Seconds: test.Elapsed.Seconds(), Alpha: r.Alpha,
		Rows: emptyNotNull(newRowsJSON(r, inJudgement)),
	}
	if test.Machine != nil {
		m.Machine = *test.Machine
	}
	return m
}

// An explainedJSON holds the last fields of an object about a comparison in turns.
type explainedJSON struct {
	Causes      []causeJSON `json:"causes,omitempty"`      // of a regression
	Unexplained string      `json:"unexplained,omitempty"` // why the cause couldn't be searched for

	encodedResults
}

func newExplained(d *Document) explainedJSON {
	return explainedJSON{newCausesJSON(d.Results[0].Causes), errorText(d.ABTest.Unexplained), encodeResults(d)}
}

func newABTestObject(d *Document) abtestObject {
	test := d.ABTest
	return abtestObject{
		outcomeJSON: newOutcome(d), Base: test.Base, Harness: test.Harness, Now: test.Now,
		Changed: emptyNotNull(test.Changed), Differences: test.Differences, Failed: test.Failed, Stacks: test.Stacks,
		Pairs: test.Pairs, Dropped: test.Dropped, measuredJSON: newMeasured(d),
		Scenarios: emptyNotNull(test.Scenarios), explainedJSON: newExplained(d),
	}
}

// A benchObject is what `gate --base --bench --json` prints.
type benchObject struct {
	outcomeJSON
	Base        string   `json:"base"` // revision
	Now         string   `json:"now"`  // revision that is checked out
	Changed     []string `json:"changed"`
	Differences []string `json:"differences"`
	Warnings    []string `json:"warnings,omitempty"`

	Benchmarks int `json:"benchmarks"`
	Rounds     int `json:"rounds"`
	measuredJSON
	Samples string `json:"samples,omitempty"` // the directory with them
	explainedJSON
}

func newBenchObject(d *Document) benchObject {
	test := d.ABTest
	return benchObject{
		outcomeJSON: newOutcome(d), Base: test.Base, Now: test.Now,
		Changed: emptyNotNull(test.Changed), Differences: emptyNotNull(test.Differences), Warnings: test.Warnings,
		Benchmarks: test.Benchmarks, Rounds: test.Rounds, measuredJSON: newMeasured(d),
		Samples: test.Samples, explainedJSON: newExplained(d),
	}
}

// A benchPageObject is what `gate --bench --baseline --json` prints.
type benchPageObject struct {
	outcomeJSON
	Baseline string    `json:"baseline"`
	Command  string    `json:"command"`
	Alpha    float64   `json:"alpha"`
	Rows     []rowJSON `json:"rows"` // scenario is the package, op the benchmark

	encodedResults
}

func newBenchPageObject(d *Document) benchPageObject {
	r := d.Results[0]
	return benchPageObject{
		newOutcome(d), d.Gate.Baseline, d.Gate.Command, r.Alpha, newRowsJSON(r, inJudgement), encodeResults(d),
	}
}

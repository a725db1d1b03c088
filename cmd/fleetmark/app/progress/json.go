package progress

import (
	_ "embed"
	"encoding/json"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

//go:embed progress.schema.json
var schemaText string

// Schema returns the JSON Schema (draft 2020-12) of the objects that [JSON] writes.
func Schema() string { return schemaText }

// jsonInterval is the time between two JSON objects.
const jsonInterval = time.Second

// jsonView shows a run to a program: with a JSON object every second, and one at the end of each
// repetition's load.
type jsonView struct {
	w      io.Writer
	last   time.Duration // elapsed when the last object of the load was written
	eta    eta
	active time.Time // when the last object about an activity was written
}

// jsonProgress is a JSON object that a jsonView writes, a contract with scripts.
type jsonProgress struct {
	Scenario   string       `json:"scenario"`   // its name
	Kind       runner.Phase `json:"kind"`       // phase: warm-up, timed or profiled
	Repetition int          `json:"repetition"` // of its phase, from 1
	Of         int          `json:"of"`         // repetitions of that phase
	Ended      bool         `json:"ended"`      // whether the load has just ended, once for each repetition

	Done    int64 `json:"done"`    // operations that succeeded
	Failed  int64 `json:"failed"`  // operations that failed
	Retries int64 `json:"retries"` // requests beyond one push and one verification
	Planned int64 `json:"planned"` // operations; 0 if only the time is planned

	// ElapsedNS is the time of the load. If stage is none of the load, it is the time of the stage.
	ElapsedNS int64 `json:"elapsed_ns"`
	LeftNS    int64 `json:"left_ns"` // estimated, for this repetition and the later ones of its phase; 0 if unknown

	OpsPerSecond        float64        `json:"ops/s"`              // over the last seconds
	PlannedOpsPerSecond float64        `json:"planned_ops/s"`      // now; 0 without a plan
	TryingOpsPerSecond  float64        `json:"trying_ops/s"`       // the rate that a search tries; 0 without a search
	P50NS               int64          `json:"p50_ns"`             // median response time of the last seconds
	P99NS               int64          `json:"p99_ns"`             // 99th percentile of them
	Failures            map[string]int `json:"failures,omitempty"` // by class
	InFlight            int64          `json:"in_flight"`          // operations that are running
	NotSent             int64          `json:"not_sent"`           // due and not sent at the end of the last interval

	// Stage is what the repetition is doing; see the table of stages. It is missing if ended is true.
	Stage      runner.Stage   `json:"stage,omitempty"`
	Preparing  string         `json:"preparing,omitempty"`    // the stage before the load; done and planned count devices
	Waves      []results.Wave `json:"waves,omitempty"`        // of a rollout, so far
	WaveCount  int            `json:"wave_count,omitempty"`   // waves that the rollout is to have
	SoakLeftNS int64          `json:"soak_left_ns,omitempty"` // how much longer the rollout waits after a wave
	Invalid    string         `json:"invalid,omitempty"`      // why the run is certain to be invalid
	Failing    string         `json:"failing,omitempty"`      // why the run is certain to fail

	Agents     *jsonAgents `json:"agents,omitempty"`      // how the agents of a merged run are; missing in other runs
	WaitingFor string      `json:"waiting_for,omitempty"` // an agent that the others wait for, and what it does
}

// jsonAgents says how the agents of a merged run are.
type jsonAgents struct {
	Of       int    `json:"of"`                  // agents, including those that are only fleets
	Alive    int    `json:"alive"`               // agents that said something in the last half of the lease
	Silent   string `json:"silent,omitempty"`    // the agent that has said nothing for the longest time
	SilentNS int64  `json:"silent_ns,omitempty"` // for which it has said nothing
	Behind   string `json:"behind,omitempty"`    // the agent whose figures the others' wait for, if it is far behind
	BehindNS int64  `json:"behind_ns,omitempty"` // by which it is behind
}

func newJSONAgents(a runner.AgentsStatus) *jsonAgents {
	if a.Of == 0 {
		return nil
	}
	return &jsonAgents{a.Of, a.Alive, a.Silent, int64(a.SilentFor), a.Behind, int64(a.BehindBy)}
}

// Doing implements runner.Observer.
func (j *jsonView) Doing(s runner.Repetition, a runner.Activity) {
	now := time.Now()
	if a.Stage == "" || now.Sub(j.active) < jsonInterval {
		return
	}
	j.active = now
	object := jsonProgress{
		Scenario: s.Scenario, Kind: s.Phase, Repetition: s.Number, Of: s.Total,
		Stage: a.Stage, ElapsedNS: int64(a.Elapsed), Done: int64(a.Done), Planned: int64(a.Of),
		Agents: newJSONAgents(a.Agents), WaitingFor: a.WaitingFor,
	}
	switch a.Stage {
	case runner.Resetting, runner.Updating, runner.Opening:
		object.Preparing = string(a.Stage)
	}
	_ = json.NewEncoder(j.w).Encode(object)
}

// Begin implements runner.Observer.
func (j *jsonView) Begin(s runner.Repetition) {
	j.last = 0
	j.eta.begin(s, time.Now())
}

// Progress implements runner.Observer.
func (j *jsonView) Progress(_ runner.Repetition, v runner.Progress) {
	j.eta.progress(v)
	if v.Elapsed-j.last >= jsonInterval {
		j.last = v.Elapsed
		j.write()
	}
}

// End implements runner.Observer.
func (j *jsonView) End(_ runner.Repetition, v runner.Progress) {
	j.eta.end(v)
	j.write()
}

// Close implements batch.View.
func (j *jsonView) Close() {}

// write writes an object about the load. It ignores errors, since the run doesn't depend on its
// reader.
func (j *jsonView) write() {
	s, v := j.eta.rep, j.eta.live
	rate, _, _ := j.eta.rates()
	object := jsonProgress{
		Scenario: s.Scenario, Kind: s.Phase, Repetition: s.Number, Of: s.Total, Stage: v.Stage, Ended: j.eta.ended,
		ElapsedNS: int64(v.Elapsed), Done: v.Done, Failed: v.Failed, Failures: v.Classes, Retries: v.Retries,
		Planned: s.Planned, InFlight: v.InFlight, NotSent: v.NotSent,
		OpsPerSecond: rate, PlannedOpsPerSecond: v.PlannedRate, TryingOpsPerSecond: s.Rate,
		P50NS: int64(v.P50), P99NS: int64(v.P99),
		Waves: v.Waves, WaveCount: v.WaveCount, SoakLeftNS: int64(v.SoakLeft), Invalid: v.Invalid, Failing: v.Failing,
		Agents: newJSONAgents(v.Agents),
	}
	if seconds, ok := j.eta.remaining(); ok && seconds < maxRemaining {
		object.LeftNS = int64(seconds * float64(time.Second))
	}
	_ = json.NewEncoder(j.w).Encode(object)
}

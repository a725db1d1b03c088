package progress

import (
	"encoding/json"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// jsonInterval is the time between two JSON objects.
const jsonInterval = time.Second

// jsonView shows a run to a program: with a JSON object every second, and one at the end of each
// repetition.
type jsonView struct {
	w        io.Writer
	last     time.Duration // elapsed when the last object of the repetition was written
	eta      eta
	prepared time.Time // when the last object of a preparation was written
}

// jsonProgress is a JSON object that a jsonView writes, a contract with scripts.
type jsonProgress struct {
	Scenario   string         `json:"scenario"`
	Kind       scenarios.Kind `json:"kind"`
	Repetition int            `json:"repetition"` // of its kind, from 1
	Of         int            `json:"of"`
	Ended      bool           `json:"ended"` // the repetition

	Done      int64 `json:"done"`    // operations that succeeded
	Failed    int64 `json:"failed"`  // operations that failed
	Retries   int64 `json:"retries"` // requests beyond one push and one verification
	Planned   int64 `json:"planned"` // operations; 0 if only the time is planned
	ElapsedNS int64 `json:"elapsed_ns"`
	LeftNS    int64 `json:"left_ns"` // estimated, for this repetition and the later ones of its kind; 0 if unknown

	OpsPerSecond        float64        `json:"ops/s"`         // over the last seconds
	PlannedOpsPerSecond float64        `json:"planned_ops/s"` // now; 0 without a plan
	TryingOpsPerSecond  float64        `json:"trying_ops/s"`  // the rate that a search tries; 0 without a search
	P50NS               int64          `json:"p50_ns"`        // response times of the last seconds
	P99NS               int64          `json:"p99_ns"`
	Failures            map[string]int `json:"failures,omitempty"` // by class

	Preparing string         `json:"preparing,omitempty"` // what precedes the repetition; done and planned count devices
	Invalid   string         `json:"invalid,omitempty"`   // why the run will be invalid
	Waves     []results.Wave `json:"waves,omitempty"`     // of a rollout, so far
}

// Preparing implements scenarios.Watcher.
func (j *jsonView) Preparing(s scenarios.Step, what string, done, of int) {
	if now := time.Now(); now.Sub(j.prepared) >= jsonInterval {
		j.prepared = now
		_ = json.NewEncoder(j.w).Encode(jsonProgress{
			Scenario: s.Scenario, Kind: s.Kind, Repetition: s.Number, Of: s.Of,
			Preparing: what, Done: int64(done), Planned: int64(of),
		})
	}
}

// Begin implements scenarios.Watcher.
func (j *jsonView) Begin(s scenarios.Step) {
	j.last = 0
	j.eta.begin(s, time.Now())
}

// Progress implements scenarios.Watcher.
func (j *jsonView) Progress(_ scenarios.Step, v scenarios.Live) {
	j.eta.progress(v)
	if v.Elapsed-j.last >= jsonInterval {
		j.last = v.Elapsed
		j.write()
	}
}

// End implements scenarios.Watcher.
func (j *jsonView) End(_ scenarios.Step, v scenarios.Live) {
	j.eta.end(v)
	j.write()
}

// Close implements View.
func (j *jsonView) Close() {}

// write writes an object. It ignores errors, since the run doesn't depend on its reader.
func (j *jsonView) write() {
	s, v := j.eta.step, j.eta.live
	rate, _, _ := j.eta.rates()
	object := jsonProgress{
		Scenario: s.Scenario, Kind: s.Kind, Repetition: s.Number, Of: s.Of, Ended: j.eta.ended,
		Done: v.Done, Failed: v.Failed, Retries: v.Retries, Planned: s.Planned, ElapsedNS: int64(v.Elapsed),
		OpsPerSecond: rate, PlannedOpsPerSecond: v.PlannedRate, TryingOpsPerSecond: s.Rate,
		P50NS: int64(v.P50), P99NS: int64(v.P99), Failures: v.Classes,
		Invalid: v.Invalid, Waves: v.Waves,
	}
	if seconds, ok := j.eta.remaining(); ok && seconds < maxRemaining {
		object.LeftNS = int64(seconds * float64(time.Second))
	}
	_ = json.NewEncoder(j.w).Encode(object)
}

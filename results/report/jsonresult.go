package report

import (
	"encoding/json"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// A resultJSON is one result. It is the whole object of `report --json`, which [Schema] describes.
type resultJSON struct {
	Schema     int             `json:"schema"`
	Scenario   string          `json:"scenario"`
	Verdict    string          `json:"verdict"` // empty: nothing was judged
	Reason     string          `json:"reason"`
	Reasons    []reasonJSON    `json:"reasons,omitempty"` // what Reason says in words
	Headline   string          `json:"headline"`          // the verdict, or that a threshold failed
	Measured   *time.Time      `json:"measured,omitempty"`
	Command    string          `json:"command,omitempty"`
	Alpha      float64         `json:"alpha"`
	Base       *sideJSON       `json:"base,omitempty"`
	Now        sideJSON        `json:"now"`
	Rows       []rowJSON       `json:"rows"`
	Causes     []causeJSON     `json:"causes,omitempty"`
	Thresholds []thresholdJSON `json:"thresholds"`
	Invalid    []string        `json:"invalid"`
	Warnings   []string        `json:"warnings"`
	Notes      []string        `json:"notes"`
}

func newResultJSON(r *Result, withSamples bool) resultJSON {
	form := inResult
	if withSamples {
		form = inReport
	}
	d := resultJSON{
		Schema: JSONSchema, Scenario: r.Scenario, Verdict: string(r.Verdict), Reason: r.Reason,
		Reasons: newReasonsJSON(r.Reasons...), Headline: r.Headline.Word, Command: r.Command, Alpha: r.Alpha,
		Now: newSideJSON(r.Now), Causes: newCausesJSON(r.Causes),
		Rows: emptyNotNull(newRowsJSON(r, form)), Thresholds: emptyNotNull(newThresholdsJSON(r.Thresholds)),
		Invalid: emptyNotNull(r.Invalid), Warnings: emptyNotNull(r.Warnings), Notes: emptyNotNull(r.Notes),
	}
	if !r.Measured.IsZero() {
		d.Measured = &r.Measured
	}
	if r.HasBase {
		base := newSideJSON(r.Base)
		d.Base = &base
	}
	return d
}

type sideJSON struct {
	Label       string           `json:"label"`
	Revision    string           `json:"revision,omitempty"`
	Repetitions int              `json:"repetitions"`
	Machine     *results.Machine `json:"machine,omitempty"`
	Run         *runJSON         `json:"run,omitempty"`
	Latency     []latencyJSON    `json:"latency,omitempty"`
	Failures    []failuresJSON   `json:"failures,omitempty"`
}

// A runJSON holds what only a run directory has.
type runJSON struct {
	ID             string         `json:"id"`
	Path           string         `json:"path"`
	Status         results.Status `json:"status"`
	Valid          bool           `json:"valid"`
	Seed           uint64         `json:"seed"`
	WorkloadDigest string         `json:"workload_digest"`
	Unconfirmed    bool           `json:"clients_word_only"`
	Counts         results.Counts `json:"counts"`

	Operations []results.Operations `json:"operations,omitempty"` // of the timed repetitions
	Rollouts   []results.Rollout    `json:"rollouts,omitempty"`   // of a load that is a rollout

	Spec json.RawMessage `json:"spec,omitempty"`

	Partial *results.Partial `json:"partial,omitempty"` // broken off, and not judged
}

type latencyJSON struct {
	Op          string           `json:"op"`
	Operations  int64            `json:"operations"`
	Percentiles []percentileJSON `json:"percentiles"`
}

type percentileJSON struct {
	Percentile float64 `json:"percentile"`
	NS         int64   `json:"ns"`
}

type failuresJSON struct {
	Class string `json:"class"`
	Kept  int    `json:"kept"` // in the bounded sample
}

func newSideJSON(s Side) sideJSON {
	d := sideJSON{Label: s.Label, Revision: s.Revision, Repetitions: s.Repetitions(), Machine: s.Machine}
	if run := s.Run; run != nil {
		d.Run = &runJSON{
			run.ID, run.Path, run.Status, run.Valid, run.Seed, run.WorkloadDigest, run.Unconfirmed,
			run.Counts, run.Operations, run.Rollouts, run.Spec, run.Partial,
		}
		if !json.Valid(run.Spec) {
			d.Run.Spec = nil
		}
	}
	for _, l := range s.Latency {
		latency := latencyJSON{Op: l.Op, Operations: l.Histogram.TotalCount(), Percentiles: []percentileJSON{}}
		for _, p := range []float64{50, 90, 95, 99, 99.9, 99.99, 100} {
			latency.Percentiles = append(latency.Percentiles, percentileJSON{p, l.Histogram.ValueAtQuantile(p)})
		}
		d.Latency = append(d.Latency, latency)
	}
	for _, c := range s.FailureClasses() {
		d.Failures = append(d.Failures, failuresJSON{c.Class, c.Count})
	}
	return d
}

type thresholdJSON struct {
	Threshold string   `json:"threshold"`
	Op        string   `json:"op"`
	Unit      string   `json:"unit"`
	Value     *float64 `json:"value"`
	Samples   int      `json:"samples"` // number of repetitions behind the value
	Measured  bool     `json:"measured"`
	Held      bool     `json:"held"`
	Undecided string   `json:"undecided,omitempty"` // why the threshold couldn't be decided
}

func newThresholdsJSON(list []results.ThresholdOutcome) (thresholds []thresholdJSON) {
	for _, o := range list {
		t := thresholdJSON{
			Threshold: o.Threshold, Op: o.Op, Unit: o.Unit, Samples: o.Samples,
			Measured: o.Measured, Held: o.Held, Undecided: o.Undecided,
		}
		if o.Measured {
			t.Value = nullIfNotFinite(&o.Value)
		}
		thresholds = append(thresholds, t)
	}
	return thresholds
}

// A causeJSON is a [Cause].
type causeJSON struct {
	Scenario string        `json:"scenario"`
	Kind     profiles.Kind `json:"kind"`
	Dir      string        `json:"dir,omitempty"`
	Flame    string        `json:"flame,omitempty"`
	FlameErr string        `json:"flame_error,omitempty"`
	*profiles.Explanation
}

func newCausesJSON(causes []Cause) (all []causeJSON) {
	for _, c := range causes {
		all = append(all, causeJSON{c.Scenario, c.Kind, c.Dir, c.Flame, errorText(c.FlameErr), c.Explanation})
	}
	return all
}

// errorText returns the message of an error, or "" for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func nullIfNotFinite(x *float64) *float64 {
	if x == nil || !isFinite(*x) {
		return nil
	}
	return x
}

func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

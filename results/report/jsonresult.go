package report

import (
	"encoding/json"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A resultJSON is one result. It is the whole object of `report --json`, which [Schema] describes.
type resultJSON struct {
	Schema     int                        `json:"schema"`
	Scenario   string                     `json:"scenario"`
	Verdict    string                     `json:"verdict"` // empty: nothing was judged
	Reason     string                     `json:"reason"`
	Reasons    []reasonJSON               `json:"reasons,omitempty"` // the reasons that Reason puts into words
	Headline   string                     `json:"headline"`          // the verdict, or that a threshold failed
	Measured   *time.Time                 `json:"measured,omitempty"`
	Command    string                     `json:"command,omitempty"`
	Alpha      float64                    `json:"alpha"`
	Base       *sideJSON                  `json:"base,omitempty"`
	Now        sideJSON                   `json:"now"`
	Rows       []rowJSON                  `json:"rows"`
	Causes     []causeJSON                `json:"causes,omitempty"`
	Thresholds []results.ThresholdOutcome `json:"thresholds"`
	Invalid    []string                   `json:"invalid"`
	Warnings   []string                   `json:"warnings"`
	Notes      []string                   `json:"notes"`
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
		Rows: emptyNotNull(newRowsJSON(r, form)), Thresholds: emptyNotNull(r.Thresholds),
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
	Label       string                `json:"label"`
	Revision    string                `json:"revision,omitempty"`
	Repetitions int                   `json:"repetitions"`
	Machine     *results.Machine      `json:"machine,omitempty"`
	Run         *runJSON              `json:"run,omitempty"`
	Latency     []latencyJSON         `json:"latency,omitempty"`
	Failures    []evidence.ClassCount `json:"failures,omitempty"`

	Groups []results.GroupSummary `json:"groups,omitempty"` // of a run of a fleet with groups
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

	Agents    *results.Agents    `json:"agents,omitempty"`     // of a merged run
	AgentsOff []results.AgentOff `json:"agents_off,omitempty"` // off from the others

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

func newSideJSON(s Side) sideJSON {
	d := sideJSON{
		Label: s.Label, Revision: s.Revision, Repetitions: s.Repetitions(), Machine: s.Machine,
		Failures: s.FailureClasses(), Groups: s.Groups(),
	}
	if run := s.Run; run != nil {
		d.Run = &runJSON{
			run.ID, run.Path, run.Status, run.Valid, run.Seed, run.WorkloadDigest, run.Unconfirmed,
			run.Counts, run.Operations, run.Rollouts, run.Spec, run.Agents, run.Agents.Off(), run.Partial,
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
	return d
}

// A causeJSON is a [Cause].
type causeJSON struct {
	Scenario string        `json:"scenario"`
	Kind     profiles.Kind `json:"kind"`
	Dir      string        `json:"dir,omitempty"`
	Flame    string        `json:"flame,omitempty"`
	FlameErr string        `json:"flame_error,omitempty"`
	*explain.Explanation
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
	if x == nil || !results.IsFinite(*x) {
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

// A rowJSON is one metric of one operation.
type rowJSON struct {
	Scenario  string          `json:"scenario"`
	Op        string          `json:"op"`
	Unit      string          `json:"unit"`
	Better    string          `json:"better,omitempty"` // "lower" or "higher"; empty where unknown
	Verdict   results.Verdict `json:"verdict"`          // empty: the row isn't judged
	Note      string          `json:"note,omitempty"`
	Reasons   []reasonJSON    `json:"reasons,omitempty"` // the reasons that Note puts into words
	Base      *summaryJSON    `json:"base,omitempty"`
	Baseline  *summaryJSON    `json:"baseline,omitempty"` // the base, under the key that a judgement has
	Now       *summaryJSON    `json:"now,omitempty"`
	Delta     *float64        `json:"delta,omitempty"`
	P         *float64        `json:"p,omitempty"`
	AdjustedP *float64        `json:"adjusted_p,omitempty"`
	Ratio     *ratioJSON      `json:"ratio,omitempty"`
	Few       int64           `json:"few_operations,omitempty"` // behind a percentile, if they are too few
}

type summaryJSON struct {
	N       int      `json:"n"`
	Median  number   `json:"median"`
	Low     *float64 `json:"low,omitempty"`
	High    *float64 `json:"high,omitempty"`
	Samples []number `json:"samples,omitzero"` // empty if only the summary is shown
}

type ratioJSON struct {
	Pairs    int    `json:"pairs"`
	Estimate number `json:"estimate"`
	Low      number `json:"low"`
	High     number `json:"high"`
	Level    number `json:"level"`
}

// A rowsForm is the place of rows in an object. It decides whether they hold samples, and what
// their base is called.
type rowsForm int

const (
	inReport    rowsForm = iota // in an object of [ModeReport]: with samples
	inResult                    // in the results of another mode: without samples
	inJudgement                 // in a field of the mode's own: the base is called baseline
)

func newRowsJSON(r *Result, form rowsForm) (rows []rowJSON) {
	for _, row := range r.Rows {
		o := rowJSON{
			Scenario: row.Scenario, Op: row.Op, Unit: row.Unit.Name, Verdict: row.Verdict, Few: row.Few,
			Note: row.Note, Reasons: newReasonsJSON(row.Reason),
			Base: newSummaryJSON(row.Base, row.BaseSamples, form), Now: newSummaryJSON(row.Now, row.NowSamples, form),
			Delta: nullIfNotFinite(row.Delta), P: nullIfNotFinite(row.P), AdjustedP: nullIfNotFinite(row.AdjustedP),
		}
		if form == inJudgement {
			o.Base, o.Baseline = nil, o.Base
		}
		switch {
		case row.Unit.Better > 0:
			o.Better = "higher"
		case row.Unit.Better < 0:
			o.Better = "lower"
		}
		if q := row.Ratio; q != nil {
			o.Ratio = &ratioJSON{q.Pairs, number(q.Estimate), number(q.Low), number(q.High), number(q.Level)}
		}
		rows = append(rows, o)
	}
	return rows
}

func newSummaryJSON(s *results.Summary, samples []float64, form rowsForm) *summaryJSON {
	if s == nil {
		return nil
	}
	d := &summaryJSON{
		N: s.N, Median: number(s.Median), Low: nullIfNotFinite(s.Low), High: nullIfNotFinite(s.High),
	}
	if form != inJudgement {
		d.Samples = []number{}
	}
	if form == inReport {
		for _, v := range samples {
			d.Samples = append(d.Samples, number(v))
		}
	}
	return d
}

// A reasonJSON is a [judge.Reason]. Its code says which parameters it has; those that are zero are
// left out.
type reasonJSON struct {
	Code   judge.Code            `json:"code"`
	Side   judge.Side            `json:"side,omitempty"`
	Value  number                `json:"value,omitzero"`
	Bound  number                `json:"bound,omitzero"`
	Change *float64              `json:"change,omitempty"`
	N      int                   `json:"n,omitempty"`
	Of     int                   `json:"of,omitempty"`
	Name   string                `json:"name,omitempty"`
	Text   string                `json:"text,omitempty"`
	Base   string                `json:"base,omitempty"`
	Cause  judge.Code            `json:"cause,omitempty"`
	Row    *judge.RowKey         `json:"row,omitempty"` // of the same result
	Others *results.Interference `json:"others,omitempty"`
}

// newReasonsJSON leaves out zero reasons, which explain nothing.
func newReasonsJSON(reasons ...judge.Reason) (list []reasonJSON) {
	for _, r := range reasons {
		if r.Code == "" {
			continue
		}
		o := reasonJSON{
			Code: r.Code, Side: r.Side, Value: number(r.Value), Bound: number(r.Bound),
			Change: nullIfNotFinite(r.Change), N: r.N, Of: r.Of, Name: r.Name, Text: r.Text, Base: r.Base,
			Cause: r.Cause, Others: r.Others,
		}
		if r.Row != nil {
			o.Row = &judge.RowKey{Scenario: r.Row.Scenario, Op: r.Row.Op, Unit: r.Row.Unit.Name}
		}
		list = append(list, o)
	}
	return list
}

// A number is null in JSON if it is infinite or NaN.
type number float64

// MarshalJSON encodes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if !results.IsFinite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

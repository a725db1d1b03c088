package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// JSONSchema is the version of what [JSON] writes. A field may be added without a new one,
// never change its meaning.
const JSONSchema = 1

//go:embed report.schema.json
var schemaText string

// Schema is the JSON Schema, draft 2020-12, of what [JSON] writes.
func Schema() string { return schemaText }

// JSON writes the report as one indented object, which [Schema] describes. What JSON has no
// word for, an infinity or no number, is null.
func JSON(w io.Writer, s *Subject) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document(s)); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

type jsonDocument struct {
	Schema     int             `json:"schema"`
	Scenario   string          `json:"scenario"`
	Verdict    string          `json:"verdict"` // empty: nothing was judged
	Reason     string          `json:"reason"`
	Headline   string          `json:"headline"` // the verdict, or that a threshold failed
	Measured   *time.Time      `json:"measured,omitempty"`
	Command    string          `json:"command,omitempty"`
	Alpha      float64         `json:"alpha"`
	Base       *jsonSide       `json:"base,omitempty"`
	Now        jsonSide        `json:"now"`
	Rows       []jsonRow       `json:"rows"`
	Causes     []Cause         `json:"causes,omitempty"`
	Thresholds []jsonThreshold `json:"thresholds"`
	Invalid    []string        `json:"invalid"`
	Warnings   []string        `json:"warnings"`
	Notes      []string        `json:"notes"`
}

type jsonSide struct {
	Label       string           `json:"label"`
	Revision    string           `json:"revision,omitempty"`
	Repetitions int              `json:"repetitions"`
	Machine     *results.Machine `json:"machine,omitempty"`
	Run         *jsonRun         `json:"run,omitempty"`
	Latency     []jsonLatency    `json:"latency,omitempty"`
	Failures    []jsonFailures   `json:"failures,omitempty"`
}

// jsonRun is what only a run directory tells.
type jsonRun struct {
	ID              string          `json:"id"`
	Path            string          `json:"path"`
	Status          results.Status  `json:"status"`
	Valid           bool            `json:"valid"`
	Seed            uint64          `json:"seed"`
	WorkloadDigest  string          `json:"workload_digest"`
	ClientsWordOnly bool            `json:"clients_word_only"`
	Counts          results.Counts  `json:"counts"`
	Spec            json.RawMessage `json:"spec,omitempty"`
}

type jsonLatency struct {
	Op          string           `json:"op"`
	Operations  int64            `json:"operations"`
	Percentiles []jsonPercentile `json:"percentiles"`
}

type jsonPercentile struct {
	Percentile float64 `json:"percentile"`
	NS         int64   `json:"ns"`
}

type jsonFailures struct {
	Class string `json:"class"`
	Kept  int    `json:"kept"` // in the bounded sample
}

type jsonRow struct {
	Scenario  string       `json:"scenario"`
	Op        string       `json:"op"`
	Unit      string       `json:"unit"`
	Better    string       `json:"better,omitempty"` // "lower" or "higher"; empty where unknown
	Verdict   string       `json:"verdict"`          // empty: the row isn't judged
	Note      string       `json:"note,omitempty"`
	Base      *jsonSummary `json:"base,omitempty"`
	Now       *jsonSummary `json:"now,omitempty"`
	Delta     *float64     `json:"delta,omitempty"`
	P         *float64     `json:"p,omitempty"`
	AdjustedP *float64     `json:"adjusted_p,omitempty"`
	Ratio     *jsonRatio   `json:"ratio,omitempty"`
}

type jsonSummary struct {
	N       int        `json:"n"`
	Median  *float64   `json:"median"`
	Low     *float64   `json:"low,omitempty"`
	High    *float64   `json:"high,omitempty"`
	Samples []*float64 `json:"samples"`
}

type jsonRatio struct {
	Pairs    int      `json:"pairs"`
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	Level    *float64 `json:"level"`
}

type jsonThreshold struct {
	Threshold string   `json:"threshold"`
	Op        string   `json:"op"`
	Unit      string   `json:"unit"`
	Value     *float64 `json:"value"`
	Measured  bool     `json:"measured"`
	Held      bool     `json:"held"`
}

func document(s *Subject) jsonDocument {
	j := s.judgement()
	d := jsonDocument{
		Schema: JSONSchema, Scenario: s.Scenario, Verdict: string(j.Verdict), Reason: j.Reason, Headline: s.headline().Word,
		Command: s.command(), Alpha: j.Alpha, Now: sideDocument(s.nowLabel(), s.Now),
		Causes: s.Causes, Rows: []jsonRow{}, Thresholds: []jsonThreshold{},
		Invalid: notNil(s.invalid()), Warnings: notNil(s.warnings()), Notes: notNil(s.notes()),
	}
	if at := s.measured(); !at.IsZero() {
		d.Measured = &at
	}
	if s.hasBase() {
		base := sideDocument(s.baseLabel(), s.Base)
		d.Base = &base
	}
	for _, r := range j.Rows {
		row := jsonRow{
			Scenario: r.Scenario, Op: r.Op, Unit: r.Unit, Verdict: string(r.Verdict), Note: r.Note,
			Base: summaryDocument(r.Baseline, samples(s.Base.Records, r)), Now: summaryDocument(r.Now, samples(s.Now.Records, r)),
			Delta: finitePointer(r.Delta), P: finitePointer(r.P), AdjustedP: finitePointer(r.AdjustedP),
		}
		if unit, known := results.LookupUnit(r.Unit); known {
			row.Better = map[bool]string{true: "higher", false: "lower"}[unit.Better > 0]
		}
		if q := r.Ratio; q != nil {
			row.Ratio = &jsonRatio{q.Pairs, finitePointer(&q.Estimate), finitePointer(&q.Low), finitePointer(&q.High), finitePointer(&q.Level)}
		}
		d.Rows = append(d.Rows, row)
	}
	for _, o := range s.thresholds() {
		d.Thresholds = append(d.Thresholds, jsonThreshold{o.Threshold, o.Op, o.Unit, finitePointer(&o.Value), o.Measured, o.Held})
	}
	return d
}

func sideDocument(label string, s Side) jsonSide {
	d := jsonSide{Label: label, Revision: s.Revision, Repetitions: s.repetitions(), Machine: s.Machine}
	if run := s.Run; run != nil {
		d.Run = &jsonRun{run.ID, run.Path, run.Status, run.Valid, run.Seed, run.WorkloadDigest, run.ClientsWordOnly, run.Counts, run.Spec}
		if !json.Valid(run.Spec) {
			d.Run.Spec = nil
		}
	}
	for _, l := range s.Latency {
		latency := jsonLatency{Op: l.Op, Operations: l.Histogram.TotalCount(), Percentiles: []jsonPercentile{}}
		for _, p := range []float64{50, 90, 95, 99, 99.9, 99.99, 100} {
			latency.Percentiles = append(latency.Percentiles, jsonPercentile{p, l.Histogram.ValueAtQuantile(p)})
		}
		d.Latency = append(d.Latency, latency)
	}
	for _, c := range failuresByClass(s.Failures) {
		d.Failures = append(d.Failures, jsonFailures{c.class, c.n})
	}
	return d
}

func summaryDocument(s *results.Summary, values []float64) *jsonSummary {
	if s == nil {
		return nil
	}
	d := &jsonSummary{N: s.N, Median: finitePointer(&s.Median), Low: finitePointer(s.Low), High: finitePointer(s.High), Samples: []*float64{}}
	for _, v := range values {
		d.Samples = append(d.Samples, finitePointer(&v))
	}
	return d
}

// samples are a row's values among records, in the order of the repetitions.
func samples(records []results.Record, row results.JudgedRow) (values []float64) {
	for _, r := range records {
		if r.Scenario == row.Scenario && r.Op == row.Op {
			if v, ok := r.Value(row.Unit); ok {
				values = append(values, v)
			}
		}
	}
	return values
}

type classCount struct {
	class string
	n     int
}

// failuresByClass counts failures, the most frequent class first.
func failuresByClass(list []Failure) (counts []classCount) {
	at := make(map[string]int)
	for _, f := range list {
		i, ok := at[f.Class]
		if !ok {
			i = len(counts)
			at[f.Class], counts = i, append(counts, classCount{class: f.Class})
		}
		counts[i].n++
	}
	slices.SortStableFunc(counts, func(a, b classCount) int { return b.n - a.n })
	return counts
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func finitePointer(x *float64) *float64 {
	if x == nil || !finite(*x) {
		return nil
	}
	return x
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

package report

import (
	"encoding/json"
	"math"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A rowJSON is one metric of one operation.
type rowJSON struct {
	Scenario  string          `json:"scenario"`
	Op        string          `json:"op"`
	Unit      string          `json:"unit"`
	Better    string          `json:"better,omitempty"` // "lower" or "higher"; empty where unknown
	Verdict   results.Verdict `json:"verdict"`          // empty: the row isn't judged
	Note      string          `json:"note,omitempty"`
	Reasons   []reasonJSON    `json:"reasons,omitempty"` // what Note says in words, or why there is no verdict
	Base      *summaryJSON    `json:"base,omitempty"`
	Baseline  *summaryJSON    `json:"baseline,omitempty"` // what base is called in a judgement
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
	Row    *rowKeyJSON           `json:"row,omitempty"`
	Others *results.Interference `json:"others,omitempty"`
}

// A rowKeyJSON names a row of the same result.
type rowKeyJSON struct {
	Scenario string `json:"scenario"`
	Op       string `json:"op"`
	Unit     string `json:"unit"`
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
			o.Row = &rowKeyJSON{r.Row.Scenario, r.Row.Op, r.Row.Unit.Name}
		}
		list = append(list, o)
	}
	return list
}

// A number is null in JSON if it is infinite or NaN.
type number float64

// MarshalJSON encodes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if !isFinite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

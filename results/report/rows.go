package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A Row is one metric of one operation, as every form shows it.
type Row struct {
	judge.Row // with shortened names

	Note string // explains the verdict in a footnote, or says why there is none: Reason in words

	BaseSamples, NowSamples []float64 // in the order of the repetitions
}

// maxWord bounds the names and notes of a row, in bytes. Those of Fleetmark's metrics are far
// shorter.
const maxWord = 4096

// newRows returns judged rows with the samples of both sides.
func newRows(judged []judge.Row, base, now []results.Record) []Row {
	baseRecords, nowRecords := byOperation(base), byOperation(now)
	rows := make([]Row, 0, len(judged))
	for _, r := range judged {
		row := Row{Row: r, Note: shortened(Note(r)), BaseSamples: baseRecords.samples(r), NowSamples: nowRecords.samples(r)}
		row.Scenario, row.Op = shortened(r.Scenario), shortened(r.Op)
		row.Unit, _ = results.LookupUnit(r.Unit.Name)
		row.Unit.Name = shortened(r.Unit.Name)
		rows = append(rows, row)
	}
	return rows
}

// shortened returns a word of at most maxWord bytes.
func shortened(word string) string {
	if len(word) <= maxWord {
		return word
	}
	return strings.ToValidUTF8(word[:maxWord], "") + "…"
}

// An operation names one operation of a scenario.
type operation struct{ scenario, op string }

// operationRecords holds the records of each operation, in the order of the repetitions.
type operationRecords map[operation][]results.Record

func byOperation(records []results.Record) operationRecords {
	all := operationRecords{}
	for _, r := range records {
		key := operation{r.Scenario, r.Op}
		all[key] = append(all[key], r)
	}
	return all
}

// samples returns the values of a row's metric.
func (o operationRecords) samples(row judge.Row) (values []float64) {
	for _, r := range o[operation{row.Scenario, row.Op}] {
		if v, ok := r.Value(row.Unit.Name); ok {
			values = append(values, v)
		}
	}
	return values
}

// Unjudged returns why the row has no verdict, in a few words for a table's cell.
func (r *Row) Unjudged() string {
	if r.Reason.Code == "" {
		return ""
	}
	return shortened(unjudged(r.Reason.Code))
}

// Same reports whether o has the same metric and operation.
func (r Row) Same(o Row) bool {
	return r.Scenario == o.Scenario && r.Op == o.Op && r.Unit.Name == o.Unit.Name
}

// Label returns the row's operation, preceded by its scenario if the table spans several.
func (r *Row) Label(spansScenarios bool) string {
	if spansScenarios {
		return r.Scenario + " " + r.Op
	}
	return r.Op
}

// Change returns "better" or "worse" for a change that counts, and "" for any other row.
func (r *Row) Change() string {
	switch {
	case r.Unit.Better == 0 || r.Delta == nil || *r.Delta == 0 || r.Verdict == "" || r.Verdict == results.Pass:
		return ""
	case (*r.Delta > 0) == (r.Unit.Better > 0):
		return "better"
	}
	return "worse"
}

// FormatBase returns the base's median with its interval: "13.2µs ± 2%".
func (r *Row) FormatBase() string { return formatSummary(r.Base, r.Unit, true) }

// FormatNow returns the median of now with its interval. It adds the number of operations to a
// percentile of too few: "9.20s (of 20)".
func (r *Row) FormatNow() string { return r.formatNow(true) }

// FormatMedian returns the median of now with its interval, as FormatNow does, without any number
// of operations.
func (r *Row) FormatMedian() string { return formatSummary(r.Now, r.Unit, true) }

func (r *Row) formatNow(interval bool) string {
	return formatSummary(r.Now, r.Unit, interval) + fewMark(r.Few)
}

// fewMark returns the mark after a percentile of too few operations, such as " (of 8)". It returns
// "" if operations is 0.
func fewMark(operations int64) string {
	if operations == 0 {
		return ""
	}
	return " (of " + plaintext.Thousands(operations) + ")"
}

// noInterval is what benchstat prints for the interval of a sample that is too small for one.
const noInterval = "∞"

// formatSummary returns a median, followed by its interval if interval is set and there is one.
func formatSummary(s *results.Summary, unit results.Unit, interval bool) string {
	if s == nil {
		return "–"
	}
	text := results.FormatValue(s.Median, unit.Name)
	if i := s.Interval(); interval && i != "" && i != noInterval {
		text += " ± " + i
	}
	return text
}

// FormatDelta returns the change of the median, such as "+6.8%". It returns "?" for a change from
// zero, and "" if a side is missing.
func (r *Row) FormatDelta() string {
	switch {
	case r.Base == nil || r.Now == nil:
		return ""
	case r.Delta == nil:
		return "?"
	}
	return formatChange(*r.Delta)
}

// FormatRatio returns the ratio of pairs with its interval: "×1.080 (1.051 to 1.110)". It returns
// "" if the row has none.
func (r *Row) FormatRatio() string {
	if r.Ratio == nil {
		return ""
	}
	return fmt.Sprintf("×%.3f (%.3f to %.3f)", r.Ratio.Estimate, r.Ratio.Low, r.Ratio.High)
}

// formatP returns the p-value before Holm's correction, or "" if the row wasn't tested.
func (r *Row) formatP() string {
	switch {
	case r.P == nil:
		return ""
	case *r.P < 0.001:
		return "<0.001"
	}
	return strconv.FormatFloat(*r.P, 'f', 3, 64)
}

// Sentence returns the row on one line: "1.00ms ± 2% -> 2.00ms ± 1% (+100.0%), p=0.002; note".
func (r *Row) Sentence() string {
	text := r.FormatNow()
	if r.Base != nil {
		text = r.FormatBase() + " -> " + text
	}
	if delta := r.FormatDelta(); delta != "" {
		text += " (" + delta + ")"
	}
	if r.Ratio != nil {
		text += ", ratio " + r.FormatRatio()
	}
	if p := r.formatP(); strings.HasPrefix(p, "<") {
		text += ", p" + p
	} else if p != "" {
		text += ", p=" + p
	}
	if r.Note != "" {
		text += "; " + r.Note
	}
	return text
}

// SpanScenarios reports whether rows belong to more than one scenario.
func SpanScenarios(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Scenario != rows[0].Scenario })
}

func haveRatios(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Ratio != nil })
}

// ChangedRows returns the rows that every reader should see, worst first: regressed, inconclusive,
// improved.
func ChangedRows(rows []Row) (list []Row) {
	for _, v := range []results.Verdict{results.Regressed, results.Inconclusive, results.Improved} {
		for _, r := range rows {
			if r.Verdict == v {
				list = append(list, r)
			}
		}
	}
	return list
}

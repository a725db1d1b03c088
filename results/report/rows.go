package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// A Row is one metric of one operation, as every form shows it.
type Row struct {
	Scenario, Op string
	Unit         results.Unit // of an unknown metric only the name is set

	Base, Now           *results.Summary // nil if the side wasn't measured
	Delta, P, AdjustedP *float64         // see judge.Row
	Ratio               *sequential.Ratio
	Few                 int64 // operations that a percentile is of, if they are too few for it

	Verdict results.Verdict // empty if the row isn't judged
	Note    string          // explains the verdict in a footnote, or says why there is none
	Reason  judge.Reason    // what Note says in words; its Code is empty if that is plain

	BaseSamples, NowSamples []float64 // in the order of the repetitions
}

// maxWord bounds the names and notes of a row, in bytes. No metric of ours has a hundredth of it.
const maxWord = 4096

// newRows returns judged rows with the samples of both sides.
func newRows(judged []judge.Row, base, now []results.Record) []Row {
	ofBase, ofNow := byOperation(base), byOperation(now)
	rows := make([]Row, 0, len(judged))
	for _, r := range judged {
		unit, _ := results.LookupUnit(r.Unit.Name)
		unit.Name = shortened(r.Unit.Name)
		rows = append(rows, Row{
			Scenario: shortened(r.Scenario), Op: shortened(r.Op), Unit: unit, Base: r.Base, Now: r.Now,
			Delta: r.Delta, P: r.P, AdjustedP: r.AdjustedP, Ratio: r.Ratio, Few: r.Few, Verdict: r.Verdict, Note: shortened(Note(r)), Reason: r.Reason,
			BaseSamples: ofBase.samples(r), NowSamples: ofNow.samples(r),
		})
	}
	return rows
}

func shortened(word string) string {
	if len(word) <= maxWord {
		return word
	}
	return strings.ToValidUTF8(word[:maxWord], "") + "…"
}

// An operation names one operation of a scenario.
type operation struct{ scenario, op string }

// recordsOf holds the records of each operation, in the order of the repetitions.
type recordsOf map[operation][]results.Record

func byOperation(records []results.Record) recordsOf {
	of := recordsOf{}
	for _, r := range records {
		key := operation{r.Scenario, r.Op}
		of[key] = append(of[key], r)
	}
	return of
}

// samples returns a row's values.
func (of recordsOf) samples(row judge.Row) (values []float64) {
	for _, r := range of[operation{row.Scenario, row.Op}] {
		if v, ok := r.Value(row.Unit.Name); ok {
			values = append(values, v)
		}
	}
	return values
}

// Unjudged returns why the row has no verdict, as short as a cell wants it.
func (r *Row) Unjudged() string {
	if r.Reason.Code == "" {
		return ""
	}
	return shortened(unjudged(r.Reason.Code))
}

// Same reports whether o is the same metric of the same operation.
func (r Row) Same(o Row) bool {
	return r.Scenario == o.Scenario && r.Op == o.Op && r.Unit.Name == o.Unit.Name
}

// Label names the row's operation, after its scenario if a table spans several.
func (r *Row) Label(spansScenarios bool) string {
	if spansScenarios {
		return r.Scenario + " " + r.Op
	}
	return r.Op
}

// Change says whether a change that counts is for the better: "better", "worse" or "".
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

// FormatNow returns the median of now, as FormatBase does. A percentile of too few operations says of how
// many it is: "9.20s (of 20)".
func (r *Row) FormatNow() string { return r.formatNow(true) }

// FormatMedian returns the median of now as FormatNow does, without saying of how few operations it is.
func (r *Row) FormatMedian() string { return formatSummary(r.Now, r.Unit, true) }

func (r *Row) formatNow(interval bool) string {
	return formatSummary(r.Now, r.Unit, interval) + ofFew(r.Few)
}

// ofFew marks a percentile of so few operations; 0 means that they are enough.
func ofFew(operations int64) string {
	if operations == 0 {
		return ""
	}
	return " (of " + plaintext.Thousands(operations) + ")"
}

// noInterval is the interval of a sample that is too small for one, as benchstat prints it.
const noInterval = "∞"

// formatSummary returns a median and, if that is wanted and there is one, its interval.
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

// FormatDelta returns the change of the median: "+6.8%", "?" for a change from zero, or "" if a side is
// missing.
func (r *Row) FormatDelta() string {
	switch {
	case r.Base == nil || r.Now == nil:
		return ""
	case r.Delta == nil:
		return "?"
	case *r.Delta == 0:
		return "0.0%"
	}
	digits := 1
	if change := *r.Delta; change > -0.0005 && change < 0.0005 {
		digits = 4 // an exact metric may change by less than a tenth of a percent
	}
	return fmt.Sprintf("%+.*f%%", digits, 100**r.Delta)
}

// FormatRatio returns the ratio of pairs with its interval: "×1.080 (1.051 to 1.110)".
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

// Sentence returns the row in a line: "1.00ms ± 2% -> 2.00ms ± 1% (+100.0%), p=0.002; note".
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

// SpanScenarios reports whether the rows are of more than one scenario.
func SpanScenarios(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Scenario != rows[0].Scenario })
}

func haveRatios(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Ratio != nil })
}

// ChangedRows returns the rows that a reader must see, worst first: what regressed, what can't be told, what
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

// A Layout says which columns a table of rows has, and what its cells hold beside the figures.
type Layout struct {
	Order   RowOrder
	Base    string // the head of the base's column
	Now     string
	Spans   bool // the rows of the whole table are of several scenarios
	NoBase  bool // the rows were compared with nothing, so there is one side to show
	Repeat  bool // the operation stands in every row
	Numbers bool // reasons of rows without a verdict are footnotes

	// What a narrow terminal has no room for.
	NoIntervals bool // the medians stand without their intervals
	NoReasons   bool // rows without a verdict don't say why
}

// A RowOrder is the order of the columns in a table of rows.
type RowOrder int

// The orders.
const (
	VerdictLast   RowOrder = iota
	VerdictFirst           // where a phone shows it without scrolling
	IntervalDelta          // as VerdictLast, and the ratio of pairs is the interval of the change
)

// A rowColumn is a column of a table of rows, and what its cells hold.
type rowColumn struct {
	Column
	cell func(r *Row) Cell
}

// RowTable lays rows out.
func RowTable(rows []Row, l Layout) *Table {
	t := &Table{Label: "Metrics"}
	list := l.columns(rows, t)
	for _, c := range list {
		t.Columns = append(t.Columns, c.Column)
	}
	previous := ""
	for i := range rows {
		cells := make([]Cell, len(list))
		for at, c := range list {
			cells[at] = c.cell(&rows[i])
		}
		if op := cells[0].Text; op == previous && !l.Repeat {
			cells[0].Text = "" // it stands once, above its metrics
		} else {
			previous = op
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func (l Layout) columns(rows []Row, t *Table) []rowColumn {
	number := func(name string, rank int, text func(r *Row) string) rowColumn {
		c := Column{Name: name, Kind: Number, Fold: texttable.Fold{Rank: rank}}
		return rowColumn{c, func(r *Row) Cell { return Cell{Text: text(r)} }}
	}
	operation := rowColumn{
		Column{Name: "operation", Fold: texttable.Fold{Cut: 1}},
		func(r *Row) Cell { return Cell{Text: r.Label(l.Spans)} },
	}
	metric := rowColumn{
		Column{Name: "metric", Kind: Name, Fold: texttable.Fold{Cut: 2}},
		func(r *Row) Cell { return Cell{Text: r.Unit.Name} },
	}
	base := number(l.Base, 2, func(r *Row) string { return formatSummary(r.Base, r.Unit, !l.NoIntervals) })
	now := number(l.Now, 0, func(r *Row) string { return r.formatNow(!l.NoIntervals) })
	delta := number("delta", 1, (*Row).FormatDelta)
	ratio := number("ratio of pairs", 3, (*Row).FormatRatio)
	p := number("p", 4, (*Row).formatP)
	verdict := rowColumn{Column{Name: "verdict"}, func(r *Row) Cell { return l.verdict(r, t) }}
	var list []rowColumn
	switch {
	case l.NoBase:
		list = []rowColumn{operation, metric, now}
		if l.Order == VerdictFirst {
			list = append(list, ratio)
		}
	case l.Order == VerdictFirst:
		change := number("change", 1, func(r *Row) string {
			return strings.TrimSuffix(r.FormatDelta()+" "+r.Change(), " ")
		})
		list = []rowColumn{operation, metric, verdict, change, base, now, ratio, p}
	case l.Order == IntervalDelta:
		delta = number("delta", 1, func(r *Row) string { return r.FormatDelta() + l.deltaInterval(r) })
		p.Rank = 3
		list = []rowColumn{operation, metric, base, now, delta, p, verdict}
	default:
		list = []rowColumn{operation, metric, base, now, delta, ratio, p, verdict}
	}
	if !haveRatios(rows) {
		list = slices.DeleteFunc(list, func(c rowColumn) bool { return c.Name == ratio.Name && c.Rank == ratio.Rank })
	}
	return list
}

// deltaInterval returns the interval of a change that pairs gave: " (+5.1 to +11.0)".
func (l Layout) deltaInterval(r *Row) string {
	if r.Ratio == nil || l.NoIntervals {
		return ""
	}
	return fmt.Sprintf(" (%+.1f to %+.1f)", 100*(r.Ratio.Low-1), 100*(r.Ratio.High-1))
}

func (l Layout) verdict(r *Row, t *Table) Cell {
	c := Cell{Text: string(r.Verdict), Verdict: r.Verdict}
	switch {
	case r.Verdict != "" || l.Numbers && r.Note != "":
		if r.Verdict == "" {
			c.Text = "–"
		}
		if r.Note != "" {
			c.Note = t.footnote(r.Note)
		}
	case l.NoReasons:
		c.Text = "–"
	default:
		c.Text = "– " + r.Unjudged()
	}
	return c
}

// Legend explains what the cells of a table of rows say in short, a sentence each: percentiles of too few
// operations, and samples that are too small for an interval.
func Legend(rows []Row) (sentences []string) {
	few, unbounded := false, 0
	for _, r := range rows {
		few = few || r.Few > 0
		for _, s := range []*results.Summary{r.Base, r.Now} {
			if s != nil && s.Interval() == noInterval {
				unbounded = max(unbounded, s.N)
			}
		}
	}
	if few {
		sentences = append(sentences, fewLegend)
	}
	if unbounded > 0 {
		sentences = append(sentences, "no ±: "+plaintext.Count(unbounded, "repetition")+" can't bound a median; 6 can")
	}
	return sentences
}

// fewLegend explains [Row.Few].
const fewLegend = "(of N): a percentile of so few operations says little; p50 wants 20, p75 40, p90 100, p95 200, p99 1,000 and p99.9 10,000"

// RowsLead explains the columns of a table of rows.
func (r *Result) RowsLead() string {
	text := "Each value is the median with half its 95% confidence interval"
	if !r.HasBaseline {
		return text + "."
	}
	text += "; p is the Mann-Whitney U test's, before Holm's correction."
	var levels []float64
	for _, row := range r.Rows {
		if row.Ratio != nil && isFinite(row.Ratio.Level) {
			levels = append(levels, 100*row.Ratio.Level)
		}
	}
	if !haveRatios(r.Rows) {
		return text
	}
	level := ""
	if len(levels) > 0 {
		level = strconv.FormatFloat(slices.Min(levels), 'g', 4, 64)
		if most := slices.Max(levels); most > slices.Min(levels) {
			level += "% to " + strconv.FormatFloat(most, 'g', 4, 64)
		}
	}
	return text + " The ratio is that of neighbouring measurements, now to baseline, with its interval at " + level +
		"%; delta and p of such a row are those of the pairs."
}

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A Layout says which columns a table of rows has, and how its cells are written.
type Layout struct {
	Order   RowOrder
	Base    string // the head of the base's column
	Now     string // the head of now's column
	Spans   bool   // the rows belong to several scenarios
	NoBase  bool   // the rows weren't compared, so only one side is shown
	Repeat  bool   // name the operation in every row
	Numbers bool   // number the reasons why rows have no verdict, as footnotes

	// For narrow terminals.
	NoIntervals bool // show medians without intervals
	NoReasons   bool // don't say why rows have no verdict
}

// A RowOrder is an order of the columns in a table of rows.
type RowOrder int

// The orders.
const (
	VerdictLast   RowOrder = iota
	VerdictFirst           // a phone shows the verdict without scrolling
	IntervalDelta          // as VerdictLast, with the ratio of pairs as the interval of the change
)

// A rowColumn is a column of a table of rows, with a function that returns its cells.
type rowColumn struct {
	Column
	cell func(r *Row) Cell
}

// RowTable returns a table of rows.
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
			cells[0].Text = "" // the operation is named once, beside its first metric
		} else {
			previous = op
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// columns returns the columns for rows. Cells add their footnotes to t.
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
	if !haveRatios(rows) { // a side's label may be "ratio of pairs" too
		list = slices.DeleteFunc(list, func(c rowColumn) bool { return c.Name == ratio.Name && c.Rank == ratio.Rank })
	}
	return list
}

// deltaInterval returns the interval of a change that was estimated from pairs: " (+5.1 to +11.0)".
func (l Layout) deltaInterval(r *Row) string {
	if r.Ratio == nil || l.NoIntervals {
		return ""
	}
	return fmt.Sprintf(" (%+.1f to %+.1f)", 100*(r.Ratio.Low-1), 100*(r.Ratio.High-1))
}

// verdict returns the cell with a row's verdict, or with the reason why it has none.
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

// Legend returns sentences that explain marks in a table of rows: percentiles of too few
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
const fewLegend = "(of N): a percentile of so few operations says little; " +
	"p50 wants 20, p75 40, p90 100, p95 200, p99 1,000 and p99.9 10,000"

// RowsLead returns sentences that explain the columns of a table of the result's rows.
func (r *Result) RowsLead() string {
	text := "Each value is the median with half its 95% confidence interval"
	if !r.HasBaseline {
		return text + "."
	}
	text += "; p is the Mann-Whitney U test's, before Holm's correction."
	var levels []float64
	for _, row := range r.Rows {
		if row.Ratio != nil && results.IsFinite(row.Ratio.Level) {
			levels = append(levels, 100*row.Ratio.Level)
		}
	}
	if !haveRatios(r.Rows) {
		return text
	}
	level := ""
	if len(levels) > 0 {
		level = strconv.FormatFloat(slices.Min(levels), 'g', 4, 64)
		if highest := slices.Max(levels); highest > slices.Min(levels) {
			level += "% to " + strconv.FormatFloat(highest, 'g', 4, 64)
		}
	}
	return text + " The ratio is that of neighboring measurements, now to baseline, with its interval at " + level +
		"%; delta and p of such a row are those of the pairs."
}

// foldRows returns the rows that a terminal shows, and a line about the others. First come the key
// metrics of each operation, then all other rows that were judged. If all rows were judged, or
// there is no baseline, foldRows returns all rows unchanged, and no line.
func foldRows(all []Row, hasBaseline bool) (rows []Row, folded string) {
	var unjudged, key, rest []Row
	for _, r := range all {
		if r.Verdict == "" {
			unjudged = append(unjudged, r)
		}
		switch {
		case r.Unit.KeyFigure > 0:
			key = append(key, r)
		case r.Verdict != "":
			rest = append(rest, r)
		}
	}
	if !hasBaseline || len(unjudged) == 0 {
		return all, ""
	}
	return append(sortKeyMetrics(key), rest...), foldedLine(unjudged)
}

// sortKeyMetrics returns rows sorted by operation, and within an operation by
// [results.Unit.KeyFigure]. The operation that has a rate, which is the whole delivery, comes first
// in its scenario.
func sortKeyMetrics(rows []Row) []Row {
	operationOf := func(r Row) operation { return operation{r.Scenario, r.Op} }
	var order []operation
	rated := map[operation]bool{}
	for _, r := range rows {
		if !slices.Contains(order, operationOf(r)) {
			order = append(order, operationOf(r))
		}
		rated[operationOf(r)] = rated[operationOf(r)] || r.Unit.Quantity == results.Rate
	}
	slices.SortStableFunc(order, func(a, b operation) int {
		switch {
		case a.scenario != b.scenario || rated[a] == rated[b]:
			return 0
		case rated[a]:
			return -1
		}
		return 1
	})
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b Row) int {
		return cmp.Or(slices.Index(order, operationOf(a))-slices.Index(order, operationOf(b)),
			a.Unit.KeyFigure-b.Unit.KeyFigure)
	})
	return sorted
}

// foldedLine returns a line that says how many rows weren't judged and why, the most frequent
// reason first: "22 times and rates aren't judged: the baseline is from another machine; `--all`
// shows them". It mentions metrics that are never judged only if there are no others.
func foldedLine(unjudged []Row) string {
	var reasons []judge.Code
	byReason := map[judge.Code][]Row{}
	for _, r := range unjudged {
		code := r.Reason.Code
		if byReason[code] == nil {
			reasons = append(reasons, code)
		}
		byReason[code] = append(byReason[code], r)
	}
	slices.SortStableFunc(reasons, func(a, b judge.Code) int { return len(byReason[b]) - len(byReason[a]) })
	if len(reasons) > 1 {
		reasons = slices.DeleteFunc(reasons, func(code judge.Code) bool { return code == judge.ShownOnly })
	}
	var parts []string
	for _, reason := range reasons {
		rows := byReason[reason]
		form := "%s aren't judged: %s"
		switch {
		case len(parts) == 0 && len(rows) == 1:
			form = "%s isn't judged: %s"
		case len(parts) > 0 && len(rows) == 1:
			form = "nor is %s: %s"
		case len(parts) > 0:
			form = "nor are %s: %s"
		}
		parts = append(parts, fmt.Sprintf(form, rowsNoun(rows), unjudgedClause(reason)))
	}
	shows := "`--all` shows them"
	if len(unjudged) == 1 {
		shows = "`--all` shows it"
	}
	return strings.Join(append(parts, shows), "; ")
}

// rowsNoun returns the number of rows and what they are: "22 times and rates", "1 count". It counts
// the driver's memory among times.
func rowsNoun(rows []Row) string {
	var nouns []string
	for _, r := range rows {
		if noun := rowNoun(r.Unit.Class); !slices.Contains(nouns, noun) {
			nouns = append(nouns, noun)
		}
	}
	onlyMemory := len(rows) == 1 && rows[0].Unit.Class == results.ClassMemory
	switch {
	case len(nouns) > 2 || slices.Contains(nouns, "metric") || onlyMemory:
		return plaintext.Count(len(rows), "metric")
	case len(nouns) == 2:
		return fmt.Sprintf("%d %ss and %ss", len(rows), nouns[0], nouns[1])
	}
	return plaintext.Count(len(rows), nouns[0])
}

func rowNoun(class results.UnitClass) string {
	nouns := map[results.UnitClass]string{
		results.ClassTime: "time", results.ClassCPU: "time", results.ClassMemory: "time", results.ClassRate: "rate",
		results.ClassAllocation: "allocation", results.ClassCount: "count",
	}
	return cmp.Or(nouns[class], "metric")
}

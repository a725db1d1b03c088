package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// metricTable lays judged rows out as Markdown, with their notes as lines of a list. The
// operation stands once, above its metrics.
func metricTable(rows []results.JudgedRow, hasBaseline bool, escape func(string) string) (page.Table, []string) {
	t := page.Table{Header: []string{"operation", "metric", "now"}, Align: "llr"}
	ratios := hasRatios(rows)
	if hasBaseline {
		t = page.Table{Header: []string{"operation", "metric", "baseline", "now", "delta"}, Align: "llrrr"}
		if ratios {
			t.Header, t.Align = append(t.Header, "ratio of pairs"), t.Align+"r"
		}
		t.Header, t.Align = append(t.Header, "p", "verdict"), t.Align+"rl"
	}
	var notes noteList
	many := manyScenarios(rows)
	previous := ""
	for _, r := range rows {
		op := operation(r, many)
		cells := []string{escape(op), escape(r.Unit)}
		if op == previous {
			cells[0] = ""
		}
		previous = op
		if hasBaseline {
			cells = append(cells, escape(r.Baseline.Format(r.Unit)))
		}
		cells = append(cells, escape(r.Now.Format(r.Unit)))
		if hasBaseline {
			cells = append(cells, escape(r.FormatDelta()))
			if ratios {
				cells = append(cells, escape(formatRatio(r.Ratio)))
			}
			cells = append(cells, escape(r.FormatP()), verdictCell(r, &notes, escape))
		}
		t.Rows = append(t.Rows, cells)
	}
	lines := make([]string, len(notes))
	for i, n := range notes {
		lines[i] = fmt.Sprintf("- (%d) %s\n", i+1, escape(n))
	}
	return t, lines
}

func verdictCell(r results.JudgedRow, notes *noteList, escape func(string) string) string {
	if r.Verdict == "" {
		return escape("– " + shortNote(r.Note))
	}
	cell := escape(string(r.Verdict))
	if r.Verdict == results.Regressed || r.Verdict == results.Inconclusive {
		cell = "**" + cell + "**"
	}
	if r.Note != "" {
		cell += fmt.Sprintf(" (%d)", notes.add(r.Note))
	}
	return cell
}

// shortNote is a note without what its column says already.
func shortNote(note string) string { return strings.TrimSuffix(note, ": no verdict") }

// A noteList numbers notes from 1; the same note has one number.
type noteList []string

func (l *noteList) add(note string) int {
	if i := slices.Index(*l, note); i >= 0 {
		return i + 1
	}
	*l = append(*l, note)
	return len(*l)
}

func manyScenarios(rows []results.JudgedRow) bool {
	return slices.ContainsFunc(rows, func(r results.JudgedRow) bool { return r.Scenario != rows[0].Scenario })
}

func operation(r results.JudgedRow, many bool) string {
	if many {
		return r.Scenario + " " + r.Op
	}
	return r.Op
}

func hasRatios(rows []results.JudgedRow) bool {
	return slices.ContainsFunc(rows, func(r results.JudgedRow) bool { return r.Ratio != nil })
}

// ratioLegend explains the column, where there is one.
func ratioLegend(rows []results.JudgedRow) string {
	if !hasRatios(rows) {
		return ""
	}
	levels := emptySpan()
	for _, r := range rows {
		if r.Ratio != nil {
			levels.take(100 * r.Ratio.Level)
		}
	}
	level := strconv.FormatFloat(levels.low, 'g', 4, 64)
	if levels.high > levels.low {
		level += "% to " + strconv.FormatFloat(levels.high, 'g', 4, 64)
	}
	return " The ratio is that of neighbouring measurements, now to baseline, with its interval at " + level + "%; delta and p of such a row are those of the pairs."
}

// notable are the rows that a reader must see, worst first: what regressed, what can't be
// told, what improved.
func notable(rows []results.JudgedRow) (list []results.JudgedRow) {
	for _, v := range []results.Verdict{results.Regressed, results.Inconclusive, results.Improved} {
		for _, r := range rows {
			if r.Verdict == v {
				list = append(list, r)
			}
		}
	}
	return list
}

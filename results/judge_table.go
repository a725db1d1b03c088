package results

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// TableOptions say how a judgement's table looks.
type TableOptions struct {
	Color bool // ANSI colours; the caller has looked at NO_COLOR and the terminal

	// Width is the terminal's, in columns; 0 is without limit. A table that is
	// wider gives up its intervals first and its p-values next.
	Width int
}

// WriteTable writes the rows for a terminal, and then the verdict and its reason.
// Without a baseline the table is operation, metric and value.
func (j *Judgement) WriteTable(w io.Writer, o TableOptions) error {
	var text string
	for _, layout := range []tableLayout{{true, true}, {false, true}, {false, false}} {
		table, notes := j.table(layout, func(r JudgedRow, s string) string { return paint(r.Verdict, s, o.Color) }, page.Plain)
		var b bytes.Buffer
		if err := table.Text(&b); err != nil {
			return err
		}
		text = b.String() + footnotes(notes, "", "\n")
		if o.Width <= 0 || widest(text) <= o.Width {
			break
		}
	}
	if j.Verdict != "" {
		text += fmt.Sprintf("\n%s: %s\n", paint(j.Verdict, string(j.Verdict), o.Color), page.Plain(j.Reason))
	} else if j.Reason != "" {
		text += fmt.Sprintf("\nno verdict: %s\n", page.Plain(j.Reason))
	}
	_, err := io.WriteString(w, text)
	return err
}

// WriteMarkdown writes the rows as a Markdown table and their notes as a list.
func (j *Judgement) WriteMarkdown(w io.Writer) error {
	table, notes := j.table(tableLayout{true, true}, func(r JudgedRow, s string) string {
		if r.Verdict == Regressed || r.Verdict == Inconclusive {
			return "**" + s + "**"
		}
		return s
	}, page.Escape)
	if err := table.Markdown(w); err != nil {
		return err
	}
	if len(notes) == 0 {
		return nil
	}
	_, err := io.WriteString(w, "\n"+footnotes(notes, "- ", "\n"))
	return err
}

// A tableLayout says what a table has room for.
type tableLayout struct{ intervals, p bool }

// table lays the rows out. escape makes a plain string fit the output; emphasis
// marks a verdict or a delta, after that.
func (j *Judgement) table(layout tableLayout, emphasis func(JudgedRow, string) string, escape func(string) string) (page.Table, []string) {
	table := page.Table{Header: []string{"operation", "metric", "now"}, Align: "llr"}
	if j.HasBaseline {
		table = page.Table{Header: []string{"operation", "metric", "baseline", "now", "delta"}, Align: "llrrr"}
		if layout.p {
			table.Header, table.Align = append(table.Header, "p"), table.Align+"r"
		}
		table.Header, table.Align = append(table.Header, "verdict"), table.Align+"l"
	}
	var notes []string
	scenarios := make(map[string]bool)
	for _, r := range j.Rows {
		scenarios[r.Scenario] = true
	}
	previous := ""
	for _, r := range j.Rows {
		op := r.Op
		if len(scenarios) > 1 {
			op = r.Scenario + " " + r.Op
		}
		row := []string{escape(op), escape(r.Unit)}
		if op == previous {
			row[0] = "" // the operation stands once, above its metrics
		}
		previous = op
		if !j.HasBaseline {
			table.Rows = append(table.Rows, append(row, escape(formatSummary(r.Now, r.Unit, layout.intervals))))
			continue
		}
		row = append(row, escape(formatSummary(r.Baseline, r.Unit, layout.intervals)), escape(formatSummary(r.Now, r.Unit, layout.intervals)), escape(formatDelta(r)+formatRatio(r.Ratio, layout.intervals)))
		if layout.p {
			row = append(row, escape(formatP(r.P)))
		}
		verdict := string(r.Verdict)
		if verdict == "" {
			verdict = escape("– " + shortNote(r.Note))
		} else {
			verdict = emphasis(r, verdict)
			if r.Note != "" {
				var n int
				notes, n = addNote(notes, escape(r.Note))
				verdict += fmt.Sprintf(" (%d)", n)
			}
		}
		table.Rows = append(table.Rows, append(row, verdict))
	}
	return table, notes
}

// shortNote is a note without what its column says already.
func shortNote(note string) string { return strings.TrimSuffix(note, ": no verdict") }

// addNote returns the list with note in it, and its 1-based place.
func addNote(notes []string, note string) ([]string, int) {
	for i, n := range notes {
		if n == note {
			return notes, i + 1
		}
	}
	return append(notes, note), len(notes) + 1
}

func footnotes(notes []string, before, after string) string {
	var b strings.Builder
	for i, n := range notes {
		fmt.Fprintf(&b, "%s(%d) %s%s", before, i+1, n, after)
	}
	return b.String()
}

func widest(text string) int {
	longest := 0
	for line := range strings.Lines(text) {
		longest = max(longest, utf8.RuneCountInString(stripColor(strings.TrimSuffix(line, "\n"))))
	}
	return longest
}

const (
	colorReset  = "\x1b[0m"
	colorRed    = "\x1b[31m"
	colorGreen  = "\x1b[32m"
	colorYellow = "\x1b[33m"
)

func paint(v Verdict, s string, color bool) string {
	if !color {
		return s
	}
	switch v {
	case Invalid, Regressed:
		return colorRed + s + colorReset
	case Inconclusive:
		return colorYellow + s + colorReset
	case Improved:
		return colorGreen + s + colorReset
	}
	return s
}

func stripColor(s string) string {
	return strings.NewReplacer(colorReset, "", colorRed, "", colorGreen, "", colorYellow, "").Replace(s)
}

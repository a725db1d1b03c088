package compare

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// WriteText writes the tables for a terminal: benchstat's columns and numbers, and after each delta which way
// it went.
func (c *Comparison) WriteText(w io.Writer, o texttable.Style) error {
	var b bytes.Buffer
	var previous []ConfigValue
	var fitted []texttable.Layout
	for i, t := range c.Tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range changedConfig(t.Config, previous) {
			fmt.Fprintf(&b, "%s: %s\n", plaintext.Line(line.Key), plaintext.Line(line.Value))
		}
		previous = t.Config
		table, notes := t.layout(plaintext.Line, func(ch Change, s string) string { return o.Paint(roleOfChange(ch), s) })
		l, err := table.FitText(&b, o.Width)
		if err != nil {
			return err
		}
		fitted = append(fitted, l)
		writeNotes(&b, "", notes)
	}
	if note := texttable.Join(fitted...).Note(); note != "" { // once: the tables are alike
		b.WriteString("\n" + note + "\n")
	}
	for i, warning := range c.Warnings {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("warning: " + plaintext.Line(warning) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteMarkdown writes the tables as Markdown, a heading before each.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	var previous []ConfigValue
	for i, t := range c.Tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "### %s\n\n", markdown.Escape(t.Unit))
		if lines := changedConfig(t.Config, previous); len(lines) > 0 {
			for _, line := range lines {
				fmt.Fprintf(&b, "- %s: %s\n", markdown.Escape(line.Key), markdown.Code(line.Value))
			}
			b.WriteByte('\n')
		}
		previous = t.Config
		table, notes := t.layout(markdown.Escape, func(ch Change, s string) string {
			if ch == ChangedWorse {
				return "**" + s + "**"
			}
			return s
		})
		if err := table.Markdown(&b); err != nil {
			return err
		}
		if len(notes) > 0 {
			b.WriteByte('\n')
			writeNotes(&b, "- ", notes)
		}
	}
	for i, warning := range c.Warnings {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("- Warning: " + markdown.Escape(warning) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// changedConfig returns the configuration that a table doesn't share with the one before.
func changedConfig(config, previous []ConfigValue) []ConfigValue {
	var lines []ConfigValue
	for i, line := range config {
		if i >= len(previous) || previous[i] != line {
			lines = append(lines, line)
		}
	}
	return lines
}

// layout returns the table with scaled values, and its warnings, which the cells number from 1.
func (t *Table) layout(escape func(string) string, emphasis func(Change, string) string) (texttable.Table, []string) {
	table := texttable.Table{Header: []string{escape(t.Unit)}, Align: "l", Fold: []texttable.Fold{{Cut: 1}}}
	many := len(t.Columns)
	for i, col := range t.Columns {
		table.Header, table.Align = append(table.Header, escape(col)), table.Align+"r"
		switch {
		case many == 1:
			table.Fold = append(table.Fold, texttable.Fold{})
		case i == 0: // its values go before those of now
			table.Fold = append(table.Fold, texttable.Fold{Rank: 2 * many})
		default: // tests first, then what is farther to the right; the first difference stays
			table.Header, table.Align = append(table.Header, "vs base", "test"), table.Align+"rl"
			now, change, test := texttable.Fold{Rank: many + i - 1}, texttable.Fold{Rank: i - 1}, texttable.Fold{Rank: 2*many + 1}
			table.Fold = append(table.Fold, now, change, test)
		}
	}
	var notes []string
	marks := func(warnings []string) string {
		var b strings.Builder
		for _, w := range warnings {
			note := escape(w)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
			fmt.Fprintf(&b, " (%d)", 1+slices.Index(notes, note))
		}
		return b.String()
	}
	class := benchunit.ClassOf(t.Unit)
	for _, r := range t.Rows {
		scaler := r.scaler(class)
		row := []string{escape(r.Name)}
		for i, cell := range r.Cells {
			if cell == nil {
				row = append(row, "")
				if i > 0 {
					row = append(row, "", "")
				}
				continue
			}
			center := escape(scaler.Format(cell.Center) + " ± " + cell.Interval)
			if i == 0 {
				row = append(row, center+marks(cell.Warnings))
				continue
			}
			test := ""
			if cell.Compared {
				test = "(" + cell.Test + ")"
			}
			if cell.Change != "" {
				test += " " + string(cell.Change)
			}
			row = append(row, center, emphasis(cell.Change, escape(cell.Delta)), escape(test)+marks(cell.Warnings))
		}
		table.Rows = append(table.Rows, row)
	}
	if len(t.Rows) > 1 {
		row := []string{"geomean"}
		for i, g := range t.Geomean {
			center, ratio := "", "?"
			if g.HasCenter {
				center = escape(benchunit.Scale(g.Center, class))
			}
			if g.HasRatio {
				ratio = fmt.Sprintf("%+.2f%%", (g.Ratio-1)*100)
			}
			if i == 0 {
				row = append(row, center+marks(g.Warnings))
				continue
			}
			row = append(row, center, ratio, strings.TrimPrefix(marks(g.Warnings), " "))
		}
		table.Rows = append(table.Rows, row)
	}
	return table, notes
}

// scaler returns the scale of a row's values, one for all, so that they compare at a glance.
func (r Row) scaler(class benchunit.Class) benchunit.Scaler {
	var centers []float64
	for _, cell := range r.Cells {
		if cell != nil {
			centers = append(centers, cell.Center)
		}
	}
	return benchunit.CommonScale(centers, class)
}

// roleOfChange returns the role in which a table shows a change.
func roleOfChange(ch Change) texttable.Role {
	switch ch {
	case ChangedWorse:
		return texttable.Bad
	case ChangedBetter:
		return texttable.Good
	}
	return texttable.Plain
}

// writeNotes writes numbered notes, a line each, with a prefix before each.
func writeNotes(b *bytes.Buffer, prefix string, notes []string) {
	for i, n := range notes {
		fmt.Fprintf(b, "%s(%d) %s\n", prefix, i+1, n)
	}
}

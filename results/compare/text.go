package compare

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// WriteText writes the tables for a terminal, with benchstat's columns and numbers. A delta that
// isn't noise is followed by "better" or "worse".
func (c *Comparison) WriteText(w io.Writer, o texttable.Style) error {
	var b bytes.Buffer
	var previous []ConfigValue
	var fitted []texttable.Layout
	roles := map[Change]texttable.Role{ChangedWorse: texttable.Bad, ChangedBetter: texttable.Good}
	for i, t := range c.Tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range changedConfig(t.Config, previous) {
			fmt.Fprintf(&b, "%s: %s\n", plaintext.Line(line.Key), plaintext.Line(line.Value))
		}
		previous = t.Config
		table, notes := t.layout(plaintext.Line, func(ch Change, s string) string { return o.Paint(roles[ch], s) })
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

// changedConfig returns the lines of a table's configuration that differ from the table before.
func changedConfig(config, previous []ConfigValue) []ConfigValue {
	var lines []ConfigValue
	for i, line := range config {
		if i >= len(previous) || previous[i] != line {
			lines = append(lines, line)
		}
	}
	return lines
}

// layout returns the table with scaled values, and its warnings as footnotes, which cells refer to
// by numbers from 1.
func (t *Table) layout(
	escape func(string) string, emphasis func(Change, string) string,
) (table texttable.Table, warnings []string) {
	table = t.header(escape)
	notes := footnotes{escape: escape}
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
				row = append(row, center+notes.marks(cell.Warnings))
				continue
			}
			test := ""
			if cell.Compared {
				test = "(" + cell.Test + ")"
			}
			if cell.Change != "" {
				test += " " + string(cell.Change)
			}
			delta := emphasis(cell.Change, escape(cell.Delta))
			row = append(row, center, delta, escape(test)+notes.marks(cell.Warnings))
		}
		table.Rows = append(table.Rows, row)
	}
	if len(t.Rows) > 1 {
		table.Rows = append(table.Rows, t.geomeanRow(class, &notes))
	}
	return table, notes.list
}

// header returns a table that has columns and no rows.
func (t *Table) header(escape func(string) string) texttable.Table {
	table := texttable.Table{Header: []string{escape(t.Unit)}, Align: "l", Fold: []texttable.Fold{{Cut: 1}}}
	n := len(t.Columns)
	for i, col := range t.Columns {
		table.Header, table.Align = append(table.Header, escape(col)), table.Align+"r"
		value := texttable.Fold{}
		switch {
		case n == 1:
		case i == 0: // the base's values are left out before those of now
			value.Rank = 2 * n
		default: // tests are left out first, then columns from the right, except for the first difference
			value.Rank = n + i - 1
		}
		table.Fold = append(table.Fold, value)
		if i > 0 {
			table.Header, table.Align = append(table.Header, "vs base", "test"), table.Align+"rl"
			table.Fold = append(table.Fold, texttable.Fold{Rank: i - 1}, texttable.Fold{Rank: 2*n + 1})
		}
	}
	return table
}

// geomeanRow returns the row of geometric means.
func (t *Table) geomeanRow(class benchunit.Class, notes *footnotes) []string {
	row := []string{"geomean"}
	for i, g := range t.Geomean {
		center, ratio := "", "?"
		if g.HasCenter {
			center = notes.escape(benchunit.Scale(g.Center, class))
		}
		if g.HasRatio {
			ratio = fmt.Sprintf("%+.2f%%", (g.Ratio-1)*100)
		}
		if i == 0 {
			row = append(row, center+notes.marks(g.Warnings))
			continue
		}
		row = append(row, center, ratio, strings.TrimPrefix(notes.marks(g.Warnings), " "))
	}
	return row
}

// footnotes holds the warnings of a table, numbered from 1.
type footnotes struct {
	escape func(string) string
	list   []string // escaped
}

// marks returns the numbers of warnings, such as " (1) (2)". It adds warnings that the table
// doesn't have yet.
func (f *footnotes) marks(warnings []string) string {
	var b strings.Builder
	for _, w := range warnings {
		note := f.escape(w)
		if !slices.Contains(f.list, note) {
			f.list = append(f.list, note)
		}
		fmt.Fprintf(&b, " (%d)", 1+slices.Index(f.list, note))
	}
	return b.String()
}

// scaler returns one scale for all values of a row, so that they can be compared at a glance.
func (r Row) scaler(class benchunit.Class) benchunit.Scaler {
	var centers []float64
	for _, cell := range r.Cells {
		if cell != nil {
			centers = append(centers, cell.Center)
		}
	}
	return benchunit.CommonScale(centers, class)
}

// writeNotes writes numbered notes, one on each line, with a prefix before each.
func writeNotes(b *bytes.Buffer, prefix string, notes []string) {
	for i, n := range notes {
		fmt.Fprintf(b, "%s(%d) %s\n", prefix, i+1, n)
	}
}

// WriteCSV writes a header, and a line for each benchmark, unit and input, with values in full
// precision. Geometric means have the benchmark "geomean".
func (c *Comparison) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{
		"config", "unit", "benchmark", "input", "n", "center", "low", "high", "interval", "delta", "p", "change",
		"warnings",
	}}
	for _, t := range c.Tables {
		pairs := make([]string, len(t.Config))
		for i, v := range t.Config {
			pairs[i] = v.Key + "=" + v.Value
		}
		config := strings.Join(pairs, " ")
		for _, r := range t.Rows {
			for i, cell := range r.Cells {
				if cell == nil {
					continue
				}
				p := ""
				if cell.Compared {
					p = formatFull(cell.P)
				}
				lines = append(lines, []string{
					config, t.Unit, r.Name, t.Columns[i], strconv.Itoa(cell.N), formatFull(cell.Center),
					formatBound(cell.Low), formatBound(cell.High), cell.Interval, cell.Delta, p, string(cell.Change),
					strings.Join(cell.Warnings, "; "),
				})
			}
		}
		for i, g := range t.Geomean {
			line := make([]string, len(lines[0]))
			line[0], line[1], line[2], line[3] = config, t.Unit, "geomean", t.Columns[i]
			line[len(line)-1] = strings.Join(g.Warnings, "; ")
			if g.HasCenter {
				line[5] = formatFull(g.Center)
			}
			if g.HasRatio {
				line[9] = fmt.Sprintf("%+.2f%%", (g.Ratio-1)*100)
			}
			lines = append(lines, line)
		}
	}
	if err := out.WriteAll(lines); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

func formatFull(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// formatBound formats a bound of an interval. It returns "" for nil.
func formatBound(v *float64) string {
	if v == nil {
		return ""
	}
	return formatFull(*v)
}

// WriteJSON writes the comparison as one indented JSON object.
func (c *Comparison) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

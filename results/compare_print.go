package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// WriteText writes the tables for a terminal: benchstat's columns and numbers,
// and after each delta which way it went.
func (c *Comparison) WriteText(w io.Writer, o TableOptions) error {
	var b bytes.Buffer
	var previous []ConfigValue
	for i, t := range c.Tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range newConfig(t.Config, previous) {
			fmt.Fprintf(&b, "%s: %s\n", page.Plain(line.Key), page.Plain(line.Value))
		}
		previous = t.Config
		table, notes := t.layout(page.Plain, func(ch Change, s string) string { return paintChange(ch, s, o.Color) })
		if err := table.Text(&b); err != nil {
			return err
		}
		b.WriteString(footnotes(notes, "", "\n"))
	}
	for i, warning := range c.Warnings {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("warning: " + page.Plain(warning) + "\n")
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
		fmt.Fprintf(&b, "### %s\n\n", page.Escape(t.Unit))
		if lines := newConfig(t.Config, previous); len(lines) > 0 {
			for _, line := range lines {
				fmt.Fprintf(&b, "- %s: %s\n", page.Escape(line.Key), page.Code(line.Value))
			}
			b.WriteByte('\n')
		}
		previous = t.Config
		table, notes := t.layout(page.Escape, func(ch Change, s string) string {
			if ch == Worse {
				return "**" + s + "**"
			}
			return s
		})
		if err := table.Markdown(&b); err != nil {
			return err
		}
		if len(notes) > 0 {
			b.WriteString("\n" + footnotes(notes, "- ", "\n"))
		}
	}
	for i, warning := range c.Warnings {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("- Warning: " + page.Escape(warning) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// newConfig is the configuration that a table doesn't share with the one before.
func newConfig(config, previous []ConfigValue) []ConfigValue {
	var lines []ConfigValue
	for i, line := range config {
		if i >= len(previous) || previous[i] != line {
			lines = append(lines, line)
		}
	}
	return lines
}

// layout is the table with scaled values, and its numbered warnings.
func (t *ComparisonTable) layout(escape func(string) string, emphasis func(Change, string) string) (page.Table, []string) {
	table := page.Table{Header: []string{escape(t.Unit)}, Align: "l"}
	for i, col := range t.Columns {
		table.Header, table.Align = append(table.Header, escape(col)), table.Align+"r"
		if i > 0 {
			table.Header, table.Align = append(table.Header, "vs base", "test"), table.Align+"rl"
		}
	}
	var notes []string
	marks := func(warnings []string) string {
		var b strings.Builder
		for _, w := range warnings {
			var n int
			notes, n = addNote(notes, escape(w))
			fmt.Fprintf(&b, " (%d)", n)
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

// scaler is common to a row, so that its values compare at a glance.
func (r ComparisonRow) scaler(class benchunit.Class) benchunit.Scaler {
	var centers []float64
	for _, cell := range r.Cells {
		if cell != nil {
			centers = append(centers, cell.Center)
		}
	}
	return benchunit.CommonScale(centers, class)
}

func paintChange(ch Change, s string, color bool) string {
	switch ch {
	case Worse:
		return paint(Regressed, s, color)
	case Better:
		return paint(Improved, s, color)
	}
	return s
}

// WriteCSV writes one line a benchmark, unit and input, under a header, with
// values in full precision. Geometric means have the benchmark "geomean".
func (c *Comparison) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"config", "unit", "benchmark", "input", "n", "center", "low", "high", "interval", "delta", "p", "change", "warnings"}}
	for _, t := range c.Tables {
		config := make([]string, len(t.Config))
		for i, v := range t.Config {
			config[i] = v.Key + "=" + v.Value
		}
		for _, r := range t.Rows {
			for i, cell := range r.Cells {
				if cell == nil {
					continue
				}
				p := ""
				if cell.Compared {
					p = formatFull(cell.P)
				}
				lines = append(lines, []string{strings.Join(config, " "), t.Unit, r.Name, t.Columns[i], strconv.Itoa(cell.N), formatFull(cell.Center),
					formatBound(cell.Low), formatBound(cell.High), cell.Interval, cell.Delta, p, string(cell.Change), strings.Join(cell.Warnings, "; ")})
			}
		}
		for i, g := range t.Geomean {
			line := []string{strings.Join(config, " "), t.Unit, "geomean", t.Columns[i], "", "", "", "", "", "", "", "", strings.Join(g.Warnings, "; ")}
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

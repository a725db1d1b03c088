package compare

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

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

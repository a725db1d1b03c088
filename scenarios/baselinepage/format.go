package baselinepage

import (
	"fmt"
	"math"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// figureCells returns the cells of the given metrics, and adds each value to the section as a
// figure named after the prefix and the metric. A metric without a value has an empty cell.
func figureCells(w *baseline.SectionWriter, prefix string, values map[string]float64, units []string) []string {
	cells := make([]string, len(units))
	for i, unit := range units {
		if v, ok := values[unit]; ok {
			w.Figure(prefix+unit, v)
			cells[i] = results.FormatValue(v, unit)
		}
	}
	return cells
}

// formatFigure formats a figure in the form of its limit.
func formatFigure(v float64, form project.Form) string {
	switch form {
	case project.FormBytes:
		return results.Bytes.Format(v)
	case project.FormDecimalBytes:
		return decimalBytes(v)
	case project.FormDuration:
		return results.Duration.Format(v)
	case project.FormPercent:
		return fmt.Sprintf("%.2f%%", v)
	case project.FormFactor:
		return fmt.Sprintf("%.2fx", v)
	}
	return results.Objects.Format(v)
}

// decimalBytes formats bytes in units of 1,000, with three digits.
func decimalBytes(v float64) string {
	units := []string{"B", "kB", "MB", "GB"}
	for len(units) > 1 && v >= 1000 {
		v, units = v/1000, units[1:]
	}
	if v >= 100 || units[0] == "B" {
		return fmt.Sprintf("%.0f%s", v, units[0])
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + units[0]
}

// formatShort formats a figure with one decimal. A figure below 0.1 gets two significant digits, so
// that only 0 is shown as "0".
func formatShort(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) < 0.1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// formatNS formats nanoseconds.
func formatNS(n int64) string { return results.Duration.Format(float64(n)) }

// mebibytes formats bytes, such as "31.0 MiB".
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// megabytes formats the size of an artifact, such as "10 MB".
func megabytes(n int64) string { return strconv.FormatFloat(float64(n)/1e6, 'f', -1, 64) + " MB" }

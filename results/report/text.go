package report

import (
	"math"

	"github.com/fleetmark/fleetmark/results"
)

// resident returns an amount of memory. It is a dash if nobody could measure it, as with real devices.
func resident(bytes uint64) string {
	if bytes == 0 {
		return "–"
	}
	return results.FormatValue(float64(bytes), results.UnitPeakMemory)
}

// formatNS returns a number of nanoseconds with three digits: "15.4µs".
func formatNS(ns float64) string { return results.FormatValue(ns, results.UnitMean) }

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

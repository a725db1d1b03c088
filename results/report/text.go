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
	return results.Bytes.Format(float64(bytes))
}

// formatNS returns a number of nanoseconds with three digits: "15.4µs".
func formatNS(ns float64) string { return results.Duration.Format(ns) }

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

package baselinepage

import (
	"fmt"
	"math"
	"strconv"

	"github.com/fleetmark/fleetmark/results"
)

// formatShort formats a figure with one digit after the point, and one below 0.1 with two significant
// digits, so that only 0 is "0".
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
func formatNS(n int64) string { return results.FormatValue(float64(n), "ns/op") }

// mebibytes formats bytes, such as "31.0 MiB".
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// sizeText formats the size of an artifact, such as "10 MB".
func sizeText(bytes int64) string {
	return fmt.Sprintf("%s MB", strconv.FormatFloat(float64(bytes)/1e6, 'f', -1, 64))
}

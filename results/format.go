package results

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"
)

// FormatValue writes a value of a metric for people, with a prefix and three
// significant digits: 13200 ns/op is "13.2µs", 65536 B/op "64.0KiB", 4100 ops/s
// "4.10k/s". Exact metrics keep their digits, since the last one may decide.
func FormatValue(value float64, unit string) string {
	known, _ := LookupUnit(unit)
	tidy, tidied := benchunit.Tidy(value, unit)
	suffix := unitSuffix(tidied)
	switch {
	case known.Quantity == Share, strings.HasSuffix(unit, "/fleet"):
		return formatShare(value)
	case strings.HasSuffix(unit, "ops/s") && value > 0 && value < 1:
		return formatSlowRate(value)
	case known.Exact:
		return formatExact(tidy) + suffix
	case isOutcome(unit):
		return formatExact(value)
	case known.Quantity == Objects:
		return formatAllocations(tidy)
	case known.Quantity == BytesPerSecond:
		// benchunit would count in MiB; the metric's name says MB.
		return formatBytesPerSecond(tidy)
	}
	scaler := benchunit.CommonScale([]float64{tidy}, benchunit.ClassOf(tidied))
	if tidy == 0 {
		return "0" + suffix
	}
	// benchunit shows four digits where the leading ones are known; three do for a
	// table, and below one (an unscaled fraction of a byte) its choice stands.
	if scaler.Prec > 0 && scaler.Prec <= 3 {
		scaler.Prec--
	}
	return scaler.Format(tidy) + suffix
}

// formatSlowRate writes a rate below one a second in a unit in which it is no tiny number: "0.300/s",
// "3.00/min" or "55.4/h".
func formatSlowRate(perSecond float64) string {
	switch {
	case perSecond >= 0.1:
		return strconv.FormatFloat(perSecond, 'f', 3, 64) + "/s"
	case perSecond*60 >= 1:
		return strconv.FormatFloat(perSecond*60, 'f', 2, 64) + "/min"
	}
	return strconv.FormatFloat(perSecond*3600, 'g', 3, 64) + "/h"
}

// formatBytesPerSecond writes "104MB/s", "1.02kB/s" or "15.8B/s".
func formatBytesPerSecond(bytes float64) string {
	switch {
	case bytes >= 100e6:
		return strconv.FormatFloat(bytes/1e6, 'f', 0, 64) + "MB/s"
	case bytes >= 1e6 || bytes == 0:
		return strconv.FormatFloat(bytes/1e6, 'g', 3, 64) + "MB/s"
	case bytes >= 1e3:
		return strconv.FormatFloat(bytes/1e3, 'g', 3, 64) + "kB/s"
	}
	return strconv.FormatFloat(bytes, 'g', 3, 64) + "B/s"
}

// unitSuffix is what of a unit a single value needs beside its column of units.
func unitSuffix(tidied string) string {
	numerator, denominator, _ := strings.Cut(tidied, "/")
	if i := strings.LastIndexByte(numerator, '-'); i >= 0 {
		numerator = numerator[i+1:]
	}
	var suffix string
	switch numerator {
	case "sec":
		suffix = "s"
	case "B":
		suffix = "B"
	}
	if denominator == "s" {
		suffix += "/s"
	}
	return suffix
}

// formatAllocations keeps two decimals, since a hundredth of an allocation is one in
// a hundred operations, and more where there is less than one.
func formatAllocations(v float64) string {
	if v > 0 && v < 1 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// formatExact keeps up to ten significant digits.
func formatExact(v float64) string {
	if s := strconv.FormatFloat(v, 'f', -1, 64); len(s) <= 11 {
		return s
	}
	return strconv.FormatFloat(v, 'g', 10, 64)
}

// formatSummary is "13.2µs ± 2%"; an exact metric has no interval, and nor has a sample too small for one.
func formatSummary(s *Summary, unit string, interval bool) string {
	if s == nil {
		return "–"
	}
	text := FormatValue(s.Median, unit)
	if interval && s.interval != "" && s.interval != noInterval {
		text += " ± " + s.interval
	}
	return text
}

// isOutcome reports whether a metric is a count of devices, such as of those that were updated.
func isOutcome(unit string) bool {
	return unit == "updated" || unit == "failed" || unit == "lost" || unit == "applied_twice"
}

// Format returns a sample for people, such as "13.2µs ± 2%". A nil one, which wasn't measured, is a dash.
func (s *Summary) Format(unit string) string { return formatSummary(s, unit, true) }

// noInterval is an interval that has no bounds, as benchstat prints it.
const noInterval = "∞"

package results

import (
	"fmt"
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
	case known.Exact:
		return formatExact(tidy) + suffix
	case isOutcome(unit):
		return formatExact(value)
	case known.Name == "allocs/op":
		return formatAllocations(tidy)
	case known.Name == "MB/s":
		// benchunit would count in MiB; the metric's name says MB.
		if mb := tidy / 1e6; mb >= 100 {
			return strconv.FormatFloat(mb, 'f', 0, 64) + "MB/s"
		}
		return strconv.FormatFloat(tidy/1e6, 'g', 3, 64) + "MB/s"
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

// formatSummary is "13.2µs ± 2%"; an exact metric has no interval.
func formatSummary(s *Summary, unit string, interval bool) string {
	if s == nil {
		return "–"
	}
	text := FormatValue(s.Median, unit)
	if interval && s.interval != "" {
		text += " ± " + s.interval
	}
	return text
}

// formatDelta is "+6.8%", with "?" for a change from zero.
func formatDelta(r JudgedRow) string {
	switch {
	case r.Baseline == nil || r.Now == nil:
		return ""
	case r.Delta == nil:
		return "?"
	case *r.Delta == 0:
		return "0.0%"
	}
	digits := 1
	if change := *r.Delta; change > -0.0005 && change < 0.0005 {
		digits = 4 // an exact metric may move by less than a tenth of a percent
	}
	return fmt.Sprintf("%+.*f%%", digits, 100**r.Delta)
}

// formatRatio is the interval of a delta that pairs gave.
func formatRatio(r *PairedRatio, wanted bool) string {
	if r == nil || !wanted {
		return ""
	}
	return fmt.Sprintf(" (%+.1f to %+.1f)", 100*(r.Low-1), 100*(r.High-1))
}

func formatP(p *float64) string {
	switch {
	case p == nil:
		return ""
	case *p < 0.001:
		return "<0.001"
	}
	return strconv.FormatFloat(*p, 'f', 3, 64)
}

package results

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"
)

// FormatValue formats a value of a metric for people, with a prefix and three significant digits:
// 13200 ns/op is "13.2µs", 65536 B/op "64.0KiB", 4100 ops/s "4.10k/s". It keeps all digits of an
// exact metric, since the last one may decide a verdict.
func FormatValue(value float64, unit string) string {
	var u Unit
	if i, ok := unitIndex()[unit]; ok {
		u = unitTable[i]
	}
	u.Name = unit
	return u.format(value)
}

// Format formats a value of the quantity that belongs to no metric, as [FormatValue] does.
func (q Quantity) Format(value float64) string {
	names := [Share + 1]string{Duration: UnitMean, Bytes: "B", BytesPerSecond: UnitThroughput, Rate: UnitRate}
	return Unit{Name: names[q], Quantity: q}.format(value)
}

// format formats a value of the unit, as [FormatValue] does.
func (u Unit) format(value float64) string {
	tidy, tidied := benchunit.Tidy(value, u.Name)
	suffix := unitSuffix(tidied)
	switch {
	case u.Quantity == Share:
		return strconv.FormatFloat(100*value, 'g', 6, 64) + "%"
	case u.Quantity == Rate && value > 0 && value < 1:
		return formatSlowRate(value)
	case u.Exact:
		return formatExact(tidy) + suffix
	case u.Quantity == Objects:
		return formatAllocations(tidy)
	case u.Quantity == BytesPerSecond:
		return formatBytesPerSecond(tidy) // benchunit would count in MiB; the metric's name says MB
	}
	scaler := benchunit.CommonScale([]float64{tidy}, benchunit.ClassOf(tidied))
	if tidy == 0 {
		return "0" + suffix
	}
	// benchunit shows four digits, and a table needs three. A value below one, such as half a byte,
	// gets no prefix, and benchunit's digits are kept.
	if scaler.Prec > 0 && scaler.Prec <= 3 {
		scaler.Prec--
	}
	return scaler.Format(tidy) + suffix
}

// formatSlowRate formats a rate below one a second as "0.300/s", "3.00/min" or "55.4/h".
func formatSlowRate(perSecond float64) string {
	switch {
	case perSecond >= 0.1:
		return strconv.FormatFloat(perSecond, 'f', 3, 64) + "/s"
	case perSecond*60 >= 1:
		return strconv.FormatFloat(perSecond*60, 'f', 2, 64) + "/min"
	}
	return strconv.FormatFloat(perSecond*3600, 'g', 3, 64) + "/h"
}

// formatBytesPerSecond formats a rate with three digits: "104MB/s", "1.02kB/s" or "15.8B/s".
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

// unitSuffix returns the suffix of a value: "s" for sec/op, "B" for B/op, "/s" for ops/s. The rest
// of the unit is the metric's name, which stands beside the value.
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

// formatAllocations formats a number of allocations with two decimals, since 0.01 is an allocation
// in one of a hundred operations, and with two significant digits below one.
func formatAllocations(v float64) string {
	if v > 0 && v < 1 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// Binary reports whether values are shown in units of 1024.
func (u Unit) Binary() bool {
	_, tidied := benchunit.Tidy(1, u.Name)
	return !u.Exact && u.Quantity != BytesPerSecond && benchunit.ClassOf(tidied) == benchunit.Binary
}

// formatExact formats a value with up to ten significant digits.
func formatExact(v float64) string {
	if s := strconv.FormatFloat(v, 'f', -1, 64); len(s) <= 11 {
		return s
	}
	return strconv.FormatFloat(v, 'g', 10, 64)
}

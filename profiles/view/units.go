package view

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A unit is a unit in which pprof shows values.
type unit struct {
	name   string
	worth  float64  // in the smallest unit of the family
	spoken []string // other names, in lower case and singular
}

// A unitFamily holds the units of a quantity, the smallest first. A zero is shown in the unit zero.
type unitFamily struct {
	units []unit
	zero  unit
}

func unitFamilies() []unitFamily {
	b := unit{"B", 1, []string{"b", "byte"}}
	s := unit{"s", float64(time.Second), []string{"s", "sec", "second"}}
	return []unitFamily{
		{zero: b, units: []unit{
			b, {"kB", 1 << 10, []string{"kb", "kbyte", "kilobyte"}}, {"MB", 1 << 20, []string{"mb", "mbyte", "megabyte"}},
			{"GB", 1 << 30, []string{"gb", "gbyte", "gigabyte"}}, {"TB", 1 << 40, []string{"tb", "tbyte", "terabyte"}},
			{"PB", 1 << 50, []string{"pb", "pbyte", "petabyte"}},
		}},
		{zero: s, units: []unit{
			{"ns", 1, []string{"ns", "nanosecond"}}, {"us", 1e3, []string{"μs", "us", "microsecond"}},
			{"ms", 1e6, []string{"ms", "millisecond"}}, s, {"hrs", float64(time.Hour), []string{"hour", "hr"}},
		}},
	}
}

// named returns the unit with a name. For an unknown name it returns the unit zero and false.
func (f unitFamily) named(name string) (unit, bool) {
	name = strings.ToLower(name)
	if utf8.RuneCountInString(name) > 2 {
		name = strings.TrimSuffix(name, "s")
	}
	i := slices.IndexFunc(f.units, func(u unit) bool { return slices.Contains(u.spoken, name) })
	if i < 0 {
		return f.zero, false
	}
	return f.units[i], true
}

// inUnit converts a value from one unit to another, or, if to is "minimum", to the unit that suits
// its size. It returns the number and the name of its unit, which is empty for counts.
func inUnit(value float64, from, to string) (float64, string) {
	for _, f := range unitFamilies() {
		u, ok := f.named(from)
		if !ok {
			continue
		}
		value *= u.worth
		if to != "minimum" {
			as, _ := f.named(to)
			return value / as.worth, as.name
		}
		best := f.zero
		for _, u := range f.units {
			if math.Abs(value) >= u.worth {
				best = u
			}
		}
		return value / best.worth, best.name
	}
	switch to {
	case "count", "sample", "unit", "minimum":
		return value, ""
	}
	return value, to
}

// formatAs formats a value with at most two decimals.
func formatAs(value int64, from, to string) string {
	v, name := inUnit(float64(value), from, to)
	text := strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
	if text == "0" || text == "-0" {
		return "0"
	}
	return text + name
}

// bestUnit returns the unit for a table whose smallest value is least and whose largest is most. It
// is the smallest value's unit, unless that value is less than a hundredth of the largest: then it
// is the unit of a hundred times the smallest value, which shows in two decimals.
func bestUnit(least, most int64, from string) string {
	_, ofLeast := inUnit(float64(least), from, "minimum")
	_, ofMost := inUnit(float64(most), from, "minimum")
	if ofLeast != ofMost && float64(least)*100 < float64(most) {
		_, ofLeast = inUnit(float64(least)*100, from, "minimum")
	}
	if ofLeast == "" {
		return from
	}
	return ofLeast
}

// percentage formats a share without its sign, in the width of a table's column.
func percentage(value, total int64) string {
	share := 0.0
	if total != 0 {
		share = math.Abs(float64(value)/float64(total)) * 100
	}
	switch {
	case share >= 99.95 && share <= 100.05:
		return "  100%"
	case share >= 1:
		return fmt.Sprintf("%5.2f%%", share)
	default:
		return fmt.Sprintf("%5.2g%%", share)
	}
}

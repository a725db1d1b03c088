package project

import (
	"math"
	"strings"
)

// Config is the content of a fleetmark.yaml. The zero value stands for a project without one.
type Config struct {
	Benchmarks   []Benchmarks
	Units        map[string]Unit // units of b.ReportMetric, by name
	Targets      []Target
	AntiPatterns []AntiPattern
	Commands     []Command
}

// Better returns which way is better for the metrics in Units: +1 if more is, -1 if less is.
func (c Config) Better() map[string]int {
	better := map[string]int{}
	for name, u := range c.Units {
		if better[name] = -1; u.HigherIsBetter {
			better[name] = +1
		}
	}
	return better
}

// BenchmarkPackages returns the packages whose benchmarks are measured, as arguments of go test at
// the root.
func (c Config) BenchmarkPackages() (packages []string) {
	for _, b := range c.Benchmarks {
		packages = append(packages, b.Packages...)
	}
	return packages
}

// Benchmarks are Go benchmarks that one go test command measures for the baseline page.
type Benchmarks struct {
	Packages []string // arguments of go test, relative to the root
	Run      string   // the regular expression for -bench
	Skip     string   // the regular expression for -skip, or ""
	Count    int      // samples per benchmark

	// References maps a benchmark to one that does the least possible work for the same task, both
	// without "Benchmark": {Push: ReferenceBareSockets}. Their ratio means the same on any machine.
	References map[string]string

	Where string // the position of the entry, FILE:LINE:COLUMN
}

// A Unit describes a metric that benchmarks report themselves.
type Unit struct {
	HigherIsBetter bool
}

// A Target limits a figure of the baseline page.
type Target struct {
	Name string

	// Figure names a figure of a section as "SECTION/FIGURE", or the median of a scenario's metric
	// as "SCENARIO OPERATION METRIC".
	Figure     string
	Limit      Limit
	EnforcedBy string // the test, PACKAGE.TestName, or the file that enforces it on every commit; may be empty

	// Machine is part of the name of the processor that the target is for. On any other processor
	// the page shows the figure beside the target without judging it. If Machine is empty, it
	// judges the figure on every processor.
	Machine string
}

// An AntiPattern is a mistake that is easily made, and the tests that fail when somebody makes it.
type AntiPattern struct {
	Name  string
	Tests []string // PACKAGE.TestName, where PACKAGE is relative to the root
}

// A Command tells readers of the page how to measure something again.
type Command struct {
	Name string   // what it measures
	Run  []string // lines for a shell
}

// A Limit is a closed range of values.
type Limit struct {
	Low, High float64 // an infinity if the range has no such end
	Form      Form    // how values are written
}

// Holds reports whether v is within the limit.
func (l Limit) Holds(v float64) bool { return l.Low <= v && v <= l.High }

// Text returns the limit for people, such as "≤ 8 MiB". format formats one of its ends.
func (l Limit) Text(format func(float64) string) string {
	switch {
	case l.Low == l.High:
		return format(l.Low)
	case math.IsInf(l.Low, -1):
		return "≤ " + format(l.High)
	case math.IsInf(l.High, 1):
		return "≥ " + format(l.Low)
	}
	return format(l.Low) + " to " + format(l.High)
}

// A Form is how a value is written: the unit that its limit has in the configuration.
type Form string

// The forms. A value is a plain number, bytes in powers of 1024 or of 1000, nanoseconds, percent,
// or a multiple of something.
const (
	FormNumber       Form = ""
	FormBytes        Form = "bytes"
	FormDecimalBytes Form = "decimal bytes"
	FormDuration     Form = "duration"
	FormPercent      Form = "percent"
	FormFactor       Form = "factor"
)

// sizes returns the units that a quantity may have. The first whose suffix fits is used.
func sizes() []sizedUnit {
	return []sizedUnit{
		{"KiB", FormBytes, 1 << 10},
		{"MiB", FormBytes, 1 << 20},
		{"GiB", FormBytes, 1 << 30},
		{"kB", FormDecimalBytes, 1e3},
		{"MB", FormDecimalBytes, 1e6},
		{"GB", FormDecimalBytes, 1e9},
		{"B", FormDecimalBytes, 1},
		{"ns", FormDuration, 1},
		{"µs", FormDuration, 1e3}, // the micro sign
		{"μs", FormDuration, 1e3}, // the Greek letter
		{"us", FormDuration, 1e3},
		{"ms", FormDuration, 1e6},
		{"s", FormDuration, 1e9},
		{"%", FormPercent, 1},
		{"x", FormFactor, 1},
	}
}

type sizedUnit struct {
	suffix string
	form   Form
	size   float64
}

// parseQuantity parses a number with an optional unit, such as 0.01, 8MiB, 35µs, 3% or 1.15x.
func parseQuantity(text string) (v float64, form Form, ok bool) {
	number, size := text, 1.0
	for _, u := range sizes() {
		if rest, found := strings.CutSuffix(text, u.suffix); found {
			number, form, size = strings.TrimSpace(rest), u.form, u.size
			break
		}
	}
	v, ok = parseDecimal(number)
	return v * size, form, ok
}

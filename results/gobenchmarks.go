package results

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// GoBenchmarks holds the output of one `go test -bench` command.
type GoBenchmarks struct {
	Command string // as it was run, for a shell

	// Lines are go test's own lines in the Go benchmark format, in its order: configuration
	// (goos, goarch, pkg, cpu), Unit lines, and one line per sample. A baseline page holds them
	// unchanged, so that benchstat compares them with a new run on the same machine.
	Lines []string

	Samples []BenchmarkSample // parsed from Lines
}

// A BenchmarkSample is one result line of go test.
type BenchmarkSample struct {
	Package    string // import path; empty if no pkg line precedes the result
	Name       string // such as "Push" or "Parse/size=1KB": without "Benchmark" and GOMAXPROCS
	Procs      int    // GOMAXPROCS, the number that ends the name; 1 if there is none
	Iterations int
	Values     []Value
}

// Value returns the sample's value in the given unit.
func (s BenchmarkSample) Value(unit string) (float64, bool) {
	return Record{Values: s.Values}.Value(unit)
}

// A LineError reports a line that isn't valid in the Go benchmark format.
type LineError struct {
	Line    int    // 1-based
	Problem string // what is wrong with it
	Err     error  // the cause, or nil
}

// Error names the line and says what is wrong with it.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// ParseGoBenchmarks parses lines of the Go benchmark format, as go test prints them. Every line
// must be in the format: benchfmt silently skips other lines, and a damaged sample would be lost.
// The error is a [*LineError].
func ParseGoBenchmarks(lines []string) ([]BenchmarkSample, error) {
	for i, line := range lines {
		if problem := checkBenchmarkLine(line); problem != "" {
			return nil, &LineError{Line: i + 1, Problem: problem}
		}
	}
	var samples []BenchmarkSample
	reader := benchfmt.NewReader(strings.NewReader(strings.Join(lines, "\n")), "")
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, &LineError{Line: rec.Line, Problem: rec.Msg, Err: rec}
		case *benchfmt.Result:
			sample, err := benchmarkSample(rec)
			if err != nil {
				_, line := rec.Pos()
				return nil, &LineError{Line: line, Problem: err.Error(), Err: err}
			}
			samples = append(samples, sample)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, &LineError{Line: len(lines), Problem: "too long or unreadable", Err: err}
	}
	return samples, nil
}

// IsBenchmarkLine reports whether benchstat would take a line for a result, a Unit line or a
// configuration line.
func IsBenchmarkLine(line string) bool {
	if strings.HasPrefix(line, "Benchmark") || line == "Unit" || strings.HasPrefix(line, "Unit ") || strings.HasPrefix(line, "Unit\t") {
		return true
	}
	// The format's own reader decides whether a line is configuration: if so, the key is part of
	// the next result. A key without a value would delete the key, which can't be seen, so the line
	// gets a value.
	reader := benchfmt.NewReader(strings.NewReader(line+" x\nBenchmarkX 1 1 x\n"), "")
	for reader.Scan() {
		if result, ok := reader.Result().(*benchfmt.Result); ok && result.Name.String() == "X" {
			return len(result.Config) > 0
		}
	}
	return false
}

// checkBenchmarkLine returns what is wrong with a line, or "" if it is valid.
func checkBenchmarkLine(line string) string {
	switch {
	case strings.ContainsAny(line, "\r\n"):
		return "want one line, without a carriage return"
	case strings.HasPrefix(line, "Benchmark") && len(strings.Fields(line)) < 4:
		return "want a name, a count and at least one value with its unit"
	case !IsBenchmarkLine(line):
		return "neither a benchmark, a unit nor a configuration line"
	}
	return ""
}

func benchmarkSample(res *benchfmt.Result) (BenchmarkSample, error) {
	s := BenchmarkSample{Package: res.GetConfig("pkg"), Name: res.Name.String(), Procs: 1, Iterations: res.Iters}
	if i := strings.LastIndexByte(s.Name, '-'); i >= 0 {
		if procs, err := strconv.Atoi(s.Name[i+1:]); err == nil && procs > 0 {
			s.Name, s.Procs = s.Name[:i], procs
		}
	}
	if s.Name == "" {
		return s, errors.New("the benchmark has no name")
	}
	for _, v := range res.Values {
		value := Value{Unit: v.Unit, Value: v.Value}
		if v.OrigUnit != "" {
			value = Value{Unit: v.OrigUnit, Value: v.OrigValue}
		}
		switch {
		case !IsFinite(value.Value):
			return s, fmt.Errorf("%s is %v: want a finite number", value.Unit, value.Value)
		case slices.ContainsFunc(s.Values, func(v Value) bool { return v.Unit == value.Unit }):
			return s, fmt.Errorf("%s is given twice: want one value a unit", value.Unit)
		}
		s.Values = append(s.Values, value)
	}
	return s, nil
}

// A BenchmarkSummary summarizes the samples of one benchmark.
type BenchmarkSummary struct {
	Package, Name string
	Procs         int
	Samples       int
	Units         []UnitSummary // in the order in which go test prints them
}

// A UnitSummary summarizes one metric of a benchmark.
type UnitSummary struct {
	Unit string
	Summary
}

// Unit returns the summary of one metric.
func (b BenchmarkSummary) Unit(name string) (Summary, bool) {
	for _, u := range b.Units {
		if u.Unit == name {
			return u.Summary, true
		}
	}
	return Summary{}, false
}

// Summaries returns a summary of each benchmark, in the order of the samples.
func (g GoBenchmarks) Summaries() []BenchmarkSummary {
	var all []BenchmarkSummary
	values := []map[string][]float64{} // for each benchmark, by unit
	for _, s := range g.Samples {
		i := slices.IndexFunc(all, func(b BenchmarkSummary) bool {
			return b.Package == s.Package && b.Name == s.Name && b.Procs == s.Procs
		})
		if i < 0 {
			i = len(all)
			all = append(all, BenchmarkSummary{Package: s.Package, Name: s.Name, Procs: s.Procs})
			values = append(values, map[string][]float64{})
		}
		all[i].Samples++
		for _, v := range s.Values {
			if _, ok := values[i][v.Unit]; !ok {
				all[i].Units = append(all[i].Units, UnitSummary{Unit: v.Unit})
			}
			values[i][v.Unit] = append(values[i][v.Unit], v.Value)
		}
	}
	for i := range all {
		for k, u := range all[i].Units {
			all[i].Units[k].Summary = *Summarize(values[i][u.Unit], false)
		}
	}
	return all
}

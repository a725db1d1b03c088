package main

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

const benchmarksSection = "benchmarks"

// benchFlags change how the Go benchmarks of the page are measured.
type benchFlags struct {
	count  int           // samples per benchmark; 0 is what fleetmark.yaml says
	time   string        // of go test's -benchtime; empty leaves it to go test
	within time.Duration // of each command
}

// check refuses values that go test would refuse minutes later. given reports whether a flag was given.
func (b benchFlags) check(given func(flag string) bool) error {
	if given("bench-count") && (b.count < 1 || b.count > maxBenchCount) {
		return &exitError{exitUsage, fmt.Sprintf("--bench-count %d: want 1 to %d", b.count, maxBenchCount)}
	}
	if b.within <= 0 {
		return &exitError{exitUsage, fmt.Sprintf("--bench-within %v: want a time such as 20m", b.within)}
	}
	iterations, isCount := strings.CutSuffix(b.time, "x")
	n, err := strconv.Atoi(iterations)
	d, durationErr := time.ParseDuration(b.time)
	if b.time != "" && !(isCount && err == nil && n > 0) && !(durationErr == nil && d > 0) {
		return &exitError{exitUsage, fmt.Sprintf("--bench-time %q: want a time such as 300ms, or a number of iterations such as 100x", b.time)}
	}
	return nil
}

// maxBenchCount bounds --bench-count.
const maxBenchCount = 1000

// command is the go test command of an entry of fleetmark.yaml.
func (b benchFlags) command(p project.Project, e project.Benchmarks) gobench.TestCommand {
	c := gobench.TestCommand{Dir: p.Root, Packages: e.Packages, Run: e.Run, Skip: e.Skip, Count: e.Count, BenchTime: b.time, Limit: b.within}
	if b.count > 0 {
		c.Count = b.count
	}
	return c
}

// tryBenchmarks runs each benchmark once, before minutes are spent on anything: it finds what can't be
// measured.
func (f *baselineFlags) tryBenchmarks(ctx context.Context, s *session, found *findings) error {
	entries := found.project.Config.Benchmarks
	if !found.wants(benchmarksSection) {
		return nil
	}
	if len(entries) == 0 {
		found.leaveOut(lacks(found.project, "benchmarks"), benchmarksSection)
		return nil
	}
	for _, e := range entries {
		c := f.bench.command(found.project, e)
		f.say(s, "trying the benchmarks of "+strings.Join(e.Packages, " "))
		c.Progress = onceEach(func(p gobench.SampleProgress) {
			f.say(s, fmt.Sprintf("%s, from sample %d of %d", p.Benchmark, p.Done+1, p.Of))
		})
		trial, err := c.Try(ctx)
		if err != nil {
			return err
		}
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(e.References)), e.Referenced()) {
			if !trial.Has(name) {
				return &exitError{exitUsage, fmt.Sprintf("%s: references: run matches no Benchmark%s: want the name of a benchmark that it matches", e.Where, name)}
			}
		}
		found.trials = append(found.trials, trial)
	}
	return nil
}

// onceEach calls progress once for each benchmark, and not for each of its samples.
func onceEach(progress func(gobench.SampleProgress)) func(gobench.SampleProgress) {
	last := ""
	return func(p gobench.SampleProgress) {
		if name := p.Package + " " + p.Benchmark; name != last && p.Done < p.Of {
			last = name
			progress(p)
		}
	}
}

// findBenchmarks measures the Go benchmarks.
func (f *baselineFlags) findBenchmarks(ctx context.Context, found *findings) error {
	for _, trial := range found.trials {
		measured, err := trial.Measure(ctx)
		if err != nil {
			return err
		}
		found.page.Benchmarks = append(found.page.Benchmarks, *measured)
	}
	return nil
}

// A benchmarkRow is a benchmark of the page, beside its reference.
type benchmarkRow struct {
	results.BenchmarkSummary
	reference string  // its name; empty where it has none
	ratio     float64 // to the reference's time; 0 where there is none
	isOther   bool    // it is the reference of another
}

// id is how figures and targets call a benchmark: delivery.Push.
func (r benchmarkRow) id(module string) string {
	pkg, ok := strings.CutPrefix(r.Package, module+"/")
	if !ok {
		pkg = path.Base(r.Package)
	}
	return pkg + "." + r.Name
}

// benchmarkRows are the benchmarks of the page, in its order.
func (f *findings) benchmarkRows() []benchmarkRow {
	references := map[string]string{}
	for _, e := range f.project.Config.Benchmarks {
		maps.Copy(references, e.References)
	}
	var rows []benchmarkRow
	for _, g := range f.page.Benchmarks {
		summaries := g.Summaries()
		for _, s := range summaries {
			row := benchmarkRow{BenchmarkSummary: s}
			for _, reference := range references {
				row.isOther = row.isOther || reference == s.Name
			}
			i := slices.IndexFunc(summaries, func(o results.BenchmarkSummary) bool {
				return o.Name == references[s.Name] && o.Package == s.Package && o.Procs == s.Procs
			})
			if i >= 0 {
				row.reference = summaries[i].Name
				own, ok1 := s.Unit("ns/op")
				other, ok2 := summaries[i].Unit("ns/op")
				if ok1 && ok2 && other.Median > 0 {
					row.ratio = own.Median / other.Median
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// usualUnits are the metrics of go test, which have a column each.
func usualUnits() []string { return []string{"ns/op", "B/op", "allocs/op", "MB/s"} }

// writeBenchmarks is the table of Go benchmarks.
func writeBenchmarks(w *results.SectionWriter, f *findings) {
	w.Text("Single operations as go test measures them: client and device in one process, one operation after another unless the name ends in a number of workers. " +
		"Medians, the time with the interval that holds it with 95%% confidence. A reference does the least that the same work could take, so its ratio means the same on any machine. Measured with")
	var commands []string
	for _, g := range f.page.Benchmarks {
		commands = append(commands, g.Command)
	}
	w.Commands(commands...)

	rows := f.benchmarkRows()
	header := []string{"benchmark", "time", "op/s", "B/op", "allocs/op", "MB/s", "n", "to its reference"}
	var own []string // metrics that the benchmarks report themselves
	for _, r := range rows {
		for _, u := range r.Units {
			if !slices.Contains(usualUnits(), u.Unit) && !slices.Contains(own, u.Unit) {
				own = append(own, u.Unit)
				header = append(header, u.Unit)
			}
		}
	}
	packages := map[string]bool{}
	for _, r := range rows {
		packages[r.Package] = true
	}
	var table [][]string
	for _, r := range rows {
		table = append(table, r.cells(w, f.project.Module, own, len(packages) > 1))
	}
	w.Table("l"+strings.Repeat("r", len(header)-1), header, table)
	w.Command("Every sample is under Samples. A new run on this machine is compared with them by", "go tool benchstat "+results.BaselineFile+" current.txt")
	if text := betterText(own, f.project.Config.Units); text != "" {
		w.Text("%s", text)
	}
}

// cells is a row of the table, whose figures are noted.
func (r benchmarkRow) cells(w *results.SectionWriter, module string, own []string, withPackage bool) []string {
	id := r.id(module)
	name := r.Name
	if withPackage {
		name = id
	}
	cell := func(unit string) string {
		s, ok := r.Unit(unit)
		if !ok {
			return ""
		}
		w.Figure(id+" "+unit, s.Median)
		return results.FormatValue(s.Median, unit)
	}
	row := []string{name, cell("ns/op"), "", cell("B/op"), cell("allocs/op"), cell("MB/s"), fmt.Sprint(r.Samples), ""}
	if s, ok := r.Unit("ns/op"); ok && s.Median > 0 {
		row[1] += " ± " + s.Interval()
		row[2] = results.FormatValue(1e9/s.Median, "ops/s")
	}
	if r.ratio > 0 {
		w.Figure(id+" ratio", r.ratio)
		row[7] = fmt.Sprintf("%.2fx %s", r.ratio, r.reference)
	}
	for _, unit := range own {
		row = append(row, cell(unit))
	}
	return row
}

// betterText says which direction is better of metrics that fleetmark.yaml knows.
func betterText(units []string, known map[string]project.Unit) string {
	var text []string
	for _, unit := range units {
		if u, ok := known[unit]; ok {
			direction := "lower"
			if u.HigherIsBetter {
				direction = "higher"
			}
			text = append(text, fmt.Sprintf("of %s, %s is better", unit, direction))
		}
	}
	if len(text) == 0 {
		return ""
	}
	return "Of the benchmarks' own metrics: " + strings.Join(text, "; ") + "."
}

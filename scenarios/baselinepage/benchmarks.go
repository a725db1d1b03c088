package baselinepage

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// BenchmarkOptions change how the Go benchmarks of fleetmark.yaml are measured.
type BenchmarkOptions struct {
	Count int           // samples per benchmark; 0 is what fleetmark.yaml says
	Time  string        // go test's -benchtime; empty leaves it to go test
	Limit time.Duration // how long each command may take
}

// command returns the go test command of an entry of fleetmark.yaml.
func (o BenchmarkOptions) command(p project.Project, e project.Benchmarks) gobench.TestCommand {
	c := gobench.TestCommand{
		Dir: p.Root, Packages: e.Packages, Run: e.Run, Skip: e.Skip, Count: e.Count, BenchTime: o.Time, Limit: o.Limit,
	}
	if o.Count > 0 {
		c.Count = o.Count
	}
	return c
}

// benchmarks are the Go benchmarks that fleetmark.yaml names.
type benchmarks struct {
	trials []*gobench.Trial // tried, to be measured later
}

// try runs each benchmark once, so that one that can't be measured is found early.
func (s *benchmarks) try(ctx context.Context, b *Builder) error {
	p := b.content.project
	if len(p.Config.Benchmarks) == 0 {
		return &skippedError{lacks(p, "benchmarks")}
	}
	for _, e := range p.Config.Benchmarks {
		c := b.options.Benchmarks.command(p, e)
		b.options.Log("trying the benchmarks of " + strings.Join(e.Packages, " "))
		c.Progress = onceEach(func(p gobench.SampleProgress) {
			b.options.Log(fmt.Sprintf("%s, from sample %d of %d", p.Benchmark, p.Done+1, p.Of))
		})
		trial, err := c.Try(ctx)
		if err != nil {
			return err
		}
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(e.References)), e.Referenced()) {
			if !trial.Has(name) {
				return fmt.Errorf("%s: references: run matches no Benchmark%s: "+
					"want the name of a benchmark that it matches", e.Where, name)
			}
		}
		s.trials = append(s.trials, trial)
	}
	return nil
}

// onceEach returns a function that calls progress once for each benchmark, rather than for each of
// its samples.
func onceEach(progress func(gobench.SampleProgress)) func(gobench.SampleProgress) {
	last := ""
	return func(p gobench.SampleProgress) {
		if name := p.Package + " " + p.Benchmark; name != last && p.Done < p.Of {
			last = name
			progress(p)
		}
	}
}

func (s *benchmarks) measure(ctx context.Context, b *Builder) error {
	for _, trial := range s.trials {
		measured, err := trial.Measure(ctx)
		if err != nil {
			return err
		}
		b.content.page.Benchmarks = append(b.content.page.Benchmarks, *measured)
	}
	return nil
}

// A benchmarkRow is a benchmark of the page, beside its reference.
type benchmarkRow struct {
	results.BenchmarkSummary
	id          string  // its name in figures and targets, such as delivery.Push
	reference   string  // the name of its reference, or empty
	ratio       float64 // its time divided by the reference's; 0 without a reference
	isReference bool    // whether it is the reference of another benchmark
}

// benchmarkRows returns the benchmarks of the page, in its order.
func (c content) benchmarkRows() (rows []benchmarkRow) {
	references, isReference := map[string]string{}, map[string]bool{}
	for _, e := range c.project.Config.Benchmarks {
		for name, reference := range e.References {
			references[name], isReference[reference] = reference, true
		}
	}
	for _, g := range c.page.Benchmarks {
		summaries := g.Summaries()
		for _, s := range summaries {
			pkg, ok := strings.CutPrefix(s.Package, c.project.Module+"/")
			if !ok {
				pkg = path.Base(s.Package)
			}
			row := benchmarkRow{BenchmarkSummary: s, id: pkg + "." + s.Name, isReference: isReference[s.Name]}
			for _, r := range summaries {
				if r.Name != references[s.Name] || r.Package != s.Package || r.Procs != s.Procs {
					continue
				}
				row.reference = r.Name
				own, _ := s.Unit(results.UnitMean)
				if other, _ := r.Unit(results.UnitMean); other.Median > 0 {
					row.ratio = own.Median / other.Median
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// usualUnits returns the metrics of go test, each of which has a column.
func usualUnits() []string {
	return []string{results.UnitMean, results.UnitBytes, results.UnitAllocations, results.UnitThroughput}
}

func writeBenchmarks(w *baseline.SectionWriter, c content) {
	w.Text("Single operations as go test measures them: client and device in one process, one operation after " +
		"another unless the name ends in a number of workers. Medians, the time with the interval that holds it " +
		"with 95%% confidence. A reference does the least that the same work could take, so its ratio means the " +
		"same on any machine. Measured with")
	var commands []string
	for _, g := range c.page.Benchmarks {
		commands = append(commands, g.Command)
	}
	w.Commands(commands...)

	rows := c.benchmarkRows()
	units := usualUnits()
	packages := map[string]bool{}
	for _, r := range rows {
		packages[r.Package] = true
		for _, u := range r.Units {
			if !slices.Contains(units, u.Unit) {
				units = append(units, u.Unit)
			}
		}
	}
	own := units[len(usualUnits()):] // metrics that the benchmarks report themselves
	header := append([]string{"benchmark", "time", "op/s", "B/op", "allocs/op", "MB/s", "n", "to its reference"},
		own...)
	var table [][]string
	for _, r := range rows {
		name := r.Name
		if len(packages) > 1 {
			name = r.id
		}
		table = append(table, append([]string{name}, r.cells(w, units)...))
	}
	w.Table("l"+strings.Repeat("r", len(header)-1), header, table)
	w.Command("Every sample is under Samples. A new run on this machine is compared with them by",
		"go tool benchstat "+baseline.FileName+" current.txt")
	if text := betterText(own, c.project.Config.Units); text != "" {
		w.Text("%s", text)
	}
}

// cells returns the cells of a row of the table except the first, and adds their figures to the
// section.
func (r benchmarkRow) cells(w *baseline.SectionWriter, units []string) []string {
	medians := map[string]float64{}
	for _, u := range r.Units {
		medians[u.Unit] = u.Median
	}
	cells := figureCells(w, r.id+" ", medians, units)
	rate, ratio := "", ""
	if s, ok := r.Unit(results.UnitMean); ok && s.Median > 0 {
		cells[0] += " ± " + s.Interval()
		rate = results.Rate.Format(1e9 / s.Median)
	}
	if r.ratio > 0 {
		w.Figure(r.id+" ratio", r.ratio)
		ratio = fmt.Sprintf("%.2fx %s", r.ratio, r.reference)
	}
	usual := len(usualUnits())
	return slices.Concat(cells[:1], []string{rate}, cells[1:usual], []string{fmt.Sprint(r.Samples), ratio},
		cells[usual:])
}

// betterText returns which direction is better for the metrics that fleetmark.yaml declares.
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

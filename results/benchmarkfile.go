package results

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/results/internal/benchtext"
)

// A BenchmarkFile is the Go benchmarks of a file: what go test printed, or those of a baseline page.
type BenchmarkFile struct {
	Path     string
	Samples  []BenchmarkSample
	System   string   // goos, goarch and cpu of the samples; empty if they differ or aren't known
	Warnings []string // lines that were left out, and what failed, a sentence each
	Failures []string // of the warnings, those that say that go test failed

	better map[string]int // which way is better, by unit, as Unit lines say
	empty  string         // why there are no samples
}

// ParseBenchmarkFile returns the samples of what go test or go test -json printed. path names it in
// messages. Lines that aren't of the benchmark format are passed over, as by benchstat; damaged samples,
// and what says that go test failed, are in Warnings. If there is no sample, its error is an
// [*InputError].
func ParseBenchmarkFile(path string, data []byte) (*BenchmarkFile, error) {
	f := &BenchmarkFile{Path: path}
	f.read(data)
	if len(f.Samples) == 0 {
		return nil, &InputError{Path: path, Problem: f.empty, Want: "name what `go test -bench` printed, or a run directory"}
	}
	return f, nil
}

// NewBenchmarkFile returns what commands measured as a file. path names it in messages.
func NewBenchmarkFile(path string, measured ...GoBenchmarks) *BenchmarkFile {
	f := &BenchmarkFile{Path: path}
	var text strings.Builder
	for _, g := range measured {
		for _, line := range g.Lines {
			text.WriteString(line + "\n") // a last line without its end would pass for one that was cut short
		}
	}
	f.read([]byte(text.String()))
	return f
}

// read takes the samples of text.
func (f *BenchmarkFile) read(text []byte) {
	var systems []string
	from := benchtext.New(f.Path, text)
	reader := benchfmt.NewReader(bytes.NewReader(from.Data), f.Path)
	f.better = map[string]int{}
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			from.AddDamaged(rec.Line, rec.Msg)
		case *benchfmt.UnitMetadata:
			_, line := rec.Pos()
			switch problem := benchtext.UnknownDirection(rec); {
			case problem != "":
				f.Warnings = append(f.Warnings, fmt.Sprintf("%s:%d: %s", f.Path, from.Line(line), problem))
			case rec.Key == "better":
				f.better[rec.OrigUnit] = map[string]int{"higher": +1, "lower": -1}[rec.Value]
			}
		case *benchfmt.Result:
			sample, err := benchmarkSample(rec)
			if err != nil {
				_, line := rec.Pos()
				from.AddDamaged(line, err.Error())
				continue
			}
			from.AddWhole(rec.Name.String())
			f.Samples = append(f.Samples, sample)
			systems = append(systems, strings.TrimSpace(rec.GetConfig("goos")+"/"+rec.GetConfig("goarch")+" "+rec.GetConfig("cpu")))
		}
	}
	if err := reader.Err(); err != nil {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%s: the rest can't be read: %v", f.Path, err))
	}
	f.Warnings = append(f.Warnings, from.Warnings()...)
	f.Failures, f.empty = from.Failures, from.WhyEmpty()
	if slices.Sort(systems); len(slices.Compact(systems)) == 1 && systems[0] != "/" {
		f.System = systems[0]
	}
}

// Only returns a file with the samples that keep reports true for.
func (f *BenchmarkFile) Only(keep func(BenchmarkSample) bool) *BenchmarkFile {
	some := *f
	some.Samples = slices.DeleteFunc(slices.Clone(f.Samples), func(s BenchmarkSample) bool { return !keep(s) })
	return &some
}

// Declare says which way is better of metrics that benchmarks report themselves, +1 being more and -1
// less, where no Unit line of the file says so.
func (f *BenchmarkFile) Declare(better map[string]int) {
	all := map[string]int{}
	maps.Copy(all, better)
	maps.Copy(all, f.better)
	f.better = all
}

// Better returns which way is better, +1 being more and -1 less, of each metric that Unit lines or Declare say it
// of. The map is the file's own.
func (f *BenchmarkFile) Better() map[string]int { return f.better }

// Records returns the samples as records: the package is the scenario, the benchmark the operation. If
// named, GOMAXPROCS is part of the benchmark's name. If portable, MB/s is left out: it is ns/op in other
// words.
func (f *BenchmarkFile) Records(named, portable bool) []Record {
	repetitions := map[[2]string]int{}
	var records []Record
	for _, s := range f.Samples {
		r := Record{Scenario: cmp.Or(s.Package, "."), Op: s.Name, Ops: int64(s.Iterations), Values: s.Values}
		if portable {
			r.Values = slices.DeleteFunc(slices.Clone(s.Values), func(v Value) bool { return v.Unit == UnitThroughput })
		}
		if named && s.Procs > 1 {
			r.Op = fmt.Sprintf("%s-%d", s.Name, s.Procs)
		}
		key := [2]string{r.Scenario, r.Op}
		repetitions[key]++
		r.Repetition = repetitions[key]
		r.estimateFailed()
		records = append(records, r)
	}
	return records
}

// Procs returns the values of GOMAXPROCS among the samples.
func (f *BenchmarkFile) Procs() []int {
	var all []int
	for _, s := range f.Samples {
		all = append(all, s.Procs)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

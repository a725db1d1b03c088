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

// A BenchmarkFile holds the Go benchmarks of a file that go test wrote, or of a baseline page.
type BenchmarkFile struct {
	Path     string
	Samples  []BenchmarkSample
	System   string   // goos, goarch and cpu of the samples; empty if they differ or aren't known
	Warnings []string // a sentence for each line that was left out, and for each failure
	Failures []string // the warnings that say that go test failed

	better map[string]int // by unit: +1 if more is better, -1 if less is
	empty  string         // why there are no samples
}

// ParseBenchmarkFile parses the output of go test or go test -json. path names it in messages. As
// in benchstat, lines that aren't in the benchmark format are skipped. Warnings says which samples
// are damaged, and where go test failed. If there is no sample, the error is an [*InputError].
func ParseBenchmarkFile(path string, data []byte) (*BenchmarkFile, error) {
	f := &BenchmarkFile{Path: path}
	f.read(data)
	if len(f.Samples) == 0 {
		return nil, &InputError{Path: path, Problem: f.empty, Want: "name what `go test -bench` printed, or a run directory"}
	}
	return f, nil
}

// NewBenchmarkFile returns a file that holds the output of several commands. path names it in
// messages.
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

// read adds the samples in text.
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

// Only returns a file with the samples for which keep returns true.
func (f *BenchmarkFile) Only(keep func(BenchmarkSample) bool) *BenchmarkFile {
	some := *f
	some.Samples = slices.DeleteFunc(slices.Clone(f.Samples), func(s BenchmarkSample) bool { return !keep(s) })
	return &some
}

// Declare sets the direction of metrics, +1 if more is better and -1 if less is, unless a Unit line
// of the file says it.
func (f *BenchmarkFile) Declare(better map[string]int) {
	all := map[string]int{}
	maps.Copy(all, better)
	maps.Copy(all, f.better)
	f.better = all
}

// Better returns the direction of each metric for which a Unit line or Declare gives it, +1 if more
// is better and -1 if less is. The caller must not change the map.
func (f *BenchmarkFile) Better() map[string]int { return f.better }

// Records returns the samples as records, with the package as the scenario and the benchmark as the
// operation. If named is set, GOMAXPROCS is part of the benchmark's name. If portable is set, MB/s
// is left out, since it repeats ns/op.
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

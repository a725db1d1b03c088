package results

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A BenchmarkFile is the Go benchmarks of a file: what go test printed, or those of a baseline page.
type BenchmarkFile struct {
	Path     string
	Samples  []BenchmarkSample
	System   string   // goos, goarch and cpu of the samples; empty if they differ or aren't known
	Warnings []string // lines that were left out, a sentence each
}

// ReadBenchmarkFile reads the Go benchmarks of a file. Lines that aren't of the benchmark format are
// passed over, as by benchstat; a damaged sample is in Warnings. Its errors are [*InputError].
func ReadBenchmarkFile(path string) (*BenchmarkFile, error) {
	data, err := readBounded(path, maxSamplesBytes)
	if err != nil {
		return nil, err
	}
	f := &BenchmarkFile{Path: path}
	if isBaseline(data) {
		page, err := parseBaseline(data, path)
		if err != nil {
			return nil, err
		}
		return page.benchmarkFile(path)
	}
	f.read(data)
	if len(f.Samples) == 0 {
		return nil, &InputError{Path: path, Problem: "holds no benchmark results", Want: "name what `go test -bench` printed, or a run directory"}
	}
	return f, nil
}

// benchmarkFile returns the benchmarks of a page as a file.
func (b *Baseline) benchmarkFile(path string) (*BenchmarkFile, error) {
	f := &BenchmarkFile{Path: path}
	var lines []string
	for _, g := range b.Benchmarks {
		lines = append(lines, g.Lines...)
	}
	f.read([]byte(strings.Join(lines, "\n")))
	if len(f.Samples) == 0 {
		return nil, &InputError{Path: path, Problem: "holds no Go benchmarks", Want: "name them under benchmarks in fleetmark.yaml, and run `fleetmark baseline`"}
	}
	return f, nil
}

// NewBenchmarkFile returns what one command measured as a file. path names it in messages.
func NewBenchmarkFile(path string, g *GoBenchmarks) *BenchmarkFile {
	f := &BenchmarkFile{Path: path}
	f.read([]byte(g.text()))
	return f
}

// read takes the samples of text.
func (f *BenchmarkFile) read(text []byte) {
	var systems []string
	reader := benchfmt.NewReader(bytes.NewReader(text), f.Path)
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			f.Warnings = append(f.Warnings, rec.Error()+" (the line is left out)")
		case *benchfmt.Result:
			sample, err := benchmarkSample(rec)
			if err != nil {
				_, line := rec.Pos()
				f.Warnings = append(f.Warnings, fmt.Sprintf("%s:%d: %v (the line is left out)", f.Path, line, err))
				continue
			}
			f.Samples = append(f.Samples, sample)
			systems = append(systems, strings.TrimSpace(rec.GetConfig("goos")+"/"+rec.GetConfig("goarch")+" "+rec.GetConfig("cpu")))
		}
	}
	if err := reader.Err(); err != nil {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%s: the rest can't be read: %v", f.Path, err))
	}
	if slices.Sort(systems); len(slices.Compact(systems)) == 1 && systems[0] != "/" {
		f.System = systems[0]
	}
}

// only returns a file with the samples that keep reports true for.
func (f *BenchmarkFile) only(keep func(BenchmarkSample) bool) *BenchmarkFile {
	some := *f
	some.Samples = slices.DeleteFunc(slices.Clone(f.Samples), func(s BenchmarkSample) bool { return !keep(s) })
	return &some
}

// records returns the samples as records: the package is the scenario, the benchmark the operation. If
// named, GOMAXPROCS is part of the benchmark's name. If usual, they have no metrics but go test's own.
func (f *BenchmarkFile) records(named, usual bool) []Record {
	repetitions := map[[2]string]int{}
	var records []Record
	for _, s := range f.Samples {
		r := Record{Scenario: cmp.Or(s.Package, "."), Op: s.Name, Ops: int64(s.Iterations), Values: s.Values}
		if usual {
			r.Values = slices.DeleteFunc(slices.Clone(s.Values), func(v Value) bool { return v.Unit != "ns/op" && v.Unit != "B/op" && v.Unit != "allocs/op" })
		}
		if named && s.Procs > 1 {
			r.Op = fmt.Sprintf("%s-%d", s.Name, s.Procs)
		}
		key := [2]string{r.Scenario, r.Op}
		repetitions[key]++
		r.Repetition = repetitions[key]
		records = append(records, r)
	}
	return records
}

// procs returns the values of GOMAXPROCS among the samples.
func (f *BenchmarkFile) procs() []int {
	var all []int
	for _, s := range f.Samples {
		all = append(all, s.Procs)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A BenchmarkComparison is the benchmarks of two files, held against each other.
type BenchmarkComparison struct {
	Judgement *Judgement
	Base, Now []Record
}

// CompareBenchmarks judges the benchmarks of one file by those of another, of which it looks at the
// ones that keep reports true for; nil keeps all. They were measured one after the other, so times
// have the wide tolerances of a baseline; they are judged only between files of the same system and
// GOMAXPROCS. If portable, only what means the same on any machine is asked for, and what can't be
// judged is inconclusive.
func CompareBenchmarks(base, now *BenchmarkFile, keep func(BenchmarkSample) bool, portable bool) *BenchmarkComparison {
	if keep != nil {
		base = base.only(keep)
	}
	// A name without GOMAXPROCS lets allocations meet that were measured on machines of other sizes.
	named := len(base.procs()) > 1 || len(now.procs()) > 1
	c := &BenchmarkComparison{Base: base.records(named, portable), Now: now.records(named, portable)}
	same := base.System != "" && base.System == now.System && slices.Equal(base.procs(), now.procs())
	c.Judgement = Judge(&BaselineScenario{Records: c.Base}, c.Now, Conditions{SameMachine: same, SameWorkload: true, PortableOnly: portable, Strict: portable, WholeAllocations: true})
	return c
}

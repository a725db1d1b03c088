package results

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// DeliveryPackage is the package in the pkg line of samples by default: the one that scenarios
// measure if no other client is driven.
const DeliveryPackage = "github.com/fleetmark/fleetmark/delivery"

// A SampleWriter writes records in the Go benchmark format.
//
// The configuration lines are goos, goarch and pkg. There is neither a cpu line nor anything else
// about the machine or the run, since benchstat puts results with different configurations into
// different tables, and would never compare the files of two machines. run.json and the baseline
// page describe the machine.
type SampleWriter struct {
	w     io.Writer
	procs int
	pkg   string
	buf   bytes.Buffer
	bench *benchfmt.Writer
	units map[string]bool // whose Unit lines are written
	err   error           // the first error of w; nothing is written after it
}

// NewSampleWriter returns a SampleWriter that calls w.Write once for each call of Write. procs is
// the driver's GOMAXPROCS, at least 1.
func NewSampleWriter(w io.Writer, procs int) *SampleWriter {
	s := &SampleWriter{w: w, procs: procs, pkg: DeliveryPackage, units: make(map[string]bool)}
	s.bench = benchfmt.NewWriter(&s.buf)
	return s
}

// SetPackage sets the package in the pkg line, an import path. Without a call, or if path is empty,
// it is package delivery.
func (s *SampleWriter) SetPackage(path string) { s.pkg = cmp.Or(path, DeliveryPackage) }

// Write appends a Unit line for each unit that it hasn't written yet, and then a line for each
// record. The first call begins with the configuration lines. If a record holds NaN, an infinity,
// no value, or a word that the format can't hold, Write returns an error and writes none of the
// records.
func (s *SampleWriter) Write(records ...Record) error {
	if s.err != nil {
		return s.err
	}
	if s.procs < 1 {
		return fmt.Errorf("write samples: GOMAXPROCS %d: want at least 1", s.procs)
	}
	for _, r := range records {
		if err := cmp.Or(r.Validate(), r.checkName()); err != nil {
			return fmt.Errorf("write samples: %w", err)
		}
	}
	s.buf.Reset()
	for _, r := range records {
		for _, v := range r.Values {
			if err := s.encodeUnit(v.Unit); err != nil {
				return fmt.Errorf("write samples: %w", err)
			}
		}
	}
	for _, r := range records {
		if err := s.encode(r); err != nil {
			return fmt.Errorf("write samples: %w", err)
		}
	}
	if s.buf.Len() == 0 {
		return nil
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		s.err = fmt.Errorf("write samples: %w", err)
	}
	return s.err
}

func (s *SampleWriter) encode(r Record) error {
	res := &benchfmt.Result{
		Config: []benchfmt.Config{
			{Key: "goos", Value: []byte(runtime.GOOS), File: true},
			{Key: "goarch", Value: []byte(runtime.GOARCH), File: true},
			{Key: "pkg", Value: []byte(s.pkg), File: true},
		},
		Name:  benchfmt.Name(strings.TrimPrefix(benchmarkName(r.Scenario, r.Op, s.procs), "Benchmark")),
		Iters: int(r.Ops),
	}
	for _, v := range r.Values {
		res.Values = append(res.Values, benchfmt.Value{Value: v.Value, Unit: v.Unit})
	}
	return s.bench.Write(res)
}

func (s *SampleWriter) encodeUnit(name string) error {
	if s.units[name] {
		return nil
	}
	s.units[name] = true
	unit, known := LookupUnit(name)
	if !known {
		return nil
	}
	_, tidied := benchunit.Tidy(1, name)
	better := "lower"
	if unit.Better > 0 {
		better = "higher"
	}
	if err := s.bench.Write(&benchfmt.UnitMetadata{
		UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: tidied, Key: "better"}, OrigUnit: name, Value: better,
	}); err != nil || !unit.Exact {
		return err
	}
	return s.bench.Write(&benchfmt.UnitMetadata{
		UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: tidied, Key: "assume"}, OrigUnit: name, Value: "exact",
	})
}

// MaxSamplesBytes bounds a file of samples, which then holds some hundred thousand lines.
const MaxSamplesBytes = 64 << 20

// ParseSamples parses lines that a [SampleWriter] wrote. It numbers repetitions in the order of the
// lines. For a line that is damaged, of another benchmark, or of an unknown kind it returns an
// [*InputError] with name as the path. offset is the number of lines of that file before data.
func ParseSamples(data []byte, name string, offset int) ([]Record, error) {
	damaged := func(line int, problem string, err error) error {
		return &InputError{
			Path: name, Line: offset + line, Problem: "damaged sample line (" + problem + ")",
			Want: "restore the file, or measure again", Err: err,
		}
	}
	if line, problem := checkSampleLines(data); problem != "" {
		return nil, damaged(line, problem, nil)
	}

	var records []Record
	repetitions := make(map[[2]string]int)
	reader := benchfmt.NewReader(bytes.NewReader(data), name)
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, damaged(rec.Line, rec.Msg, rec)
		case *benchfmt.Result:
			_, line := rec.Pos()
			record, err := parseRecord(rec)
			if err != nil {
				return nil, damaged(line, err.Error(), err)
			}
			key := [2]string{record.Scenario, record.Op}
			repetitions[key]++
			record.Repetition = repetitions[key]
			records = append(records, record)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, damaged(1+bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")), "too long or unreadable", err)
	}
	return records, nil
}

// checkSampleLines returns the number of the first line that a SampleWriter would never write, and
// what is wrong with it. benchfmt skips such lines, as it must in the output of go test; in our own
// files each is a lost sample.
func checkSampleLines(data []byte) (line int, problem string) {
	for text := range bytes.Lines(data) {
		line++
		text = bytes.TrimRight(text, "\r\n")
		switch {
		case len(bytes.TrimSpace(text)) == 0:
		case bytes.HasPrefix(text, []byte("Benchmark")):
			if len(bytes.Fields(text)) < 4 {
				return line, "want a name, a count and at least one value with its unit"
			}
		case bytes.HasPrefix(text, []byte("Unit ")):
		case isConfigLine(text):
		default:
			return line, "neither a benchmark, a unit nor a configuration line"
		}
	}
	return 0, ""
}

func isConfigLine(text []byte) bool {
	for _, key := range []string{"goos: ", "goarch: ", "pkg: "} {
		if bytes.HasPrefix(text, []byte(key)) {
			return true
		}
	}
	return false
}

func parseRecord(res *benchfmt.Result) (Record, error) {
	scenario, op, ok := parseName(res.Name.String())
	if !ok {
		return Record{}, errors.New("the name isn't Scenario/<scenario>/op=<operation>-<GOMAXPROCS>")
	}
	record := Record{Scenario: scenario, Op: op, Ops: int64(res.Iters), Values: make([]Value, 0, len(res.Values))}
	for _, v := range res.Values {
		value := Value{Unit: v.Unit, Value: v.Value}
		if v.OrigUnit != "" {
			value = Value{Unit: v.OrigUnit, Value: v.OrigValue}
		}
		record.Values = append(record.Values, value)
	}
	record.estimateFailed()
	return record, record.Validate()
}

// IsFinite reports whether x is a number that JSON and the benchmark format can hold: neither
// infinite nor NaN.
func IsFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

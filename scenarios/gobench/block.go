package gobench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// A Benchmark is a benchmark at one value of GOMAXPROCS.
type Benchmark struct {
	Package string // import path
	Name    string // such as "BenchmarkPush/size=1KiB"
	Procs   int    // GOMAXPROCS
}

// Result returns the name that the testing package prints before the benchmark's figures: Name,
// with GOMAXPROCS unless that is 1.
func (b Benchmark) Result() string {
	if b.Procs == 1 {
		return b.Name
	}
	return b.Name + "-" + strconv.Itoa(b.Procs)
}

// Short returns the name that benchstat shows, such as "Push/size=1KiB-2".
func (b Benchmark) Short() string { return strings.TrimPrefix(b.Result(), "Benchmark") }

// key returns the key of the benchmark's time in a comparison.
func (b Benchmark) key() sequential.Key {
	return sequential.Key{Scenario: b.Package, Op: b.Short(), Unit: results.UnitMean}
}

// pattern returns the value of -test.bench that matches the benchmark and no other. The testing
// package matches the parts between slashes one by one.
func (b Benchmark) pattern() string {
	parts := strings.Split(b.Name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// A block is what one process measured of a benchmark.
type block struct {
	record   results.Record
	line     string        // of the benchmark format, as it was printed
	units    []string      // Unit lines that were printed before it
	config   []string      // goos, goarch, pkg and cpu
	cpu      time.Duration // user and system time of the whole process
	overhead time.Duration // time of the process beyond the measurement
}

// elapsed returns how long the iterations of a block took, by the figures that it reports.
func (b *block) elapsed() time.Duration {
	ns, _ := b.record.Value(results.UnitMean)
	return time.Duration(min(ns*float64(b.record.Ops), math.MaxInt64/2))
}

// A problem says why a benchmark could not be measured.
type problem struct {
	broken bool   // it failed, panicked or never ended; otherwise it was skipped, or has no usable result
	text   string // what the benchmark did, such as "failed: no such file"
	stacks string // of the goroutines, if it panicked or never ended
	panics bool   // it ended its process
}

func (p *problem) Error() string { return p.text }

// runBlock measures iterations of a benchmark in a process of its own. flags are added to the
// command. The error is a [*problem], the context's, or says why the process could not be started.
func (b *binary) runBlock(ctx context.Context, bench Benchmark, iterations int, flags ...string) (*block, error) {
	f, err := b.run(ctx, append([]string{
		"-test.bench=" + bench.pattern(), fmt.Sprintf("-test.benchtime=%dx", iterations), "-test.benchmem",
		"-test.cpu=" + strconv.Itoa(bench.Procs),
	}, flags...)...)
	if err != nil {
		return nil, err
	}
	return f.result(bench)
}

// result returns what a process measured, or a [*problem].
func (f *finished) result(bench Benchmark) (*block, error) {
	if p := f.problem(bench); p != nil {
		return nil, p
	}
	return f.measured(bench)
}

// measured returns the result that a process printed, whether or not the process failed.
func (f *finished) measured(bench Benchmark) (*block, error) {
	out := &block{}
	for line := range strings.Lines(f.stdout) {
		line = strings.TrimRight(strings.TrimPrefix(line, marker), "\r\n")
		switch {
		case strings.HasPrefix(line, "Unit "):
			out.units = append(out.units, line)
		case configLine.MatchString(line):
			out.config = append(out.config, line)
		}
		// Output of the benchmark itself may precede the result on its line.
		if at := resultOf(bench).FindStringIndex(line); at != nil {
			out.line = strings.TrimSpace(line[at[0]:])
		}
	}
	if out.line == "" {
		return nil, &problem{text: "printed no result"}
	}
	if err := out.parse(bench); err != nil {
		return nil, err
	}
	out.cpu = f.cpu
	out.overhead = max(0, f.wall-out.elapsed())
	return out, nil
}

// marker begins each line that the testing package itself prints, because of -test.v=test2json.
const marker = "\x16"

var configLine = regexp.MustCompile(`^(goos|goarch|pkg|cpu): `)

// resultOf returns a regular expression that matches the beginning of a benchmark's result.
func resultOf(bench Benchmark) *regexp.Regexp {
	return regexp.MustCompile(regexp.QuoteMeta(bench.Result()) + ` *\t *[0-9]+\t`)
}

// parse reads the block's line.
func (b *block) parse(bench Benchmark) error {
	reader := benchfmt.NewReader(strings.NewReader(strings.Join(b.units, "\n")+"\n"+b.line+"\n"), bench.Package)
	for reader.Scan() {
		r, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		rec := results.Record{Scenario: bench.Package, Op: bench.Short(), Ops: int64(r.Iters)}
		for _, v := range r.Values {
			value := results.Value{Unit: v.Unit, Value: v.Value}
			if v.OrigUnit != "" {
				value = results.Value{Unit: v.OrigUnit, Value: v.OrigValue}
			}
			if math.IsNaN(value.Value) || math.IsInf(value.Value, 0) {
				return &problem{text: fmt.Sprintf("reports %v %s, which is no number", value.Value, value.Unit)}
			}
			rec.Values = append(rec.Values, value)
		}
		b.record = rec
	}
	if err := reader.Err(); err != nil {
		return &problem{text: "its result can't be read: " + err.Error()}
	}
	return b.check()
}

// check returns a [*problem] if the result holds no measurement.
func (b *block) check() error {
	time, timed := b.record.Value(results.UnitMean)
	own := 0 // number of metrics besides those that -benchmem adds
	for _, v := range b.record.Values {
		if v.Unit != results.UnitBytes && v.Unit != results.UnitAllocations && v.Unit != results.UnitMean {
			own++
		}
	}
	switch {
	case len(b.record.Values) == 0:
		return &problem{text: "printed a damaged result: " + strconv.Quote(b.line)}
	case timed && time <= 0, !timed && own == 0:
		return &problem{text: "reports 0 ns/op, which is no measurement: " +
			"see that its loop does the work, and that its timer runs"}
	}
	return nil
}

// problem returns why a process could not measure the benchmark that it ran last, or nil.
func (f *finished) problem(bench Benchmark) *problem {
	if f.timedOut {
		return &problem{broken: true, text: fmt.Sprintf("has not ended after %v", f.limit), stacks: f.stderr}
	}
	if text, ok := f.report("FAIL", bench); ok {
		return &problem{broken: true, text: "failed: " + text}
	}
	if f.err != nil {
		return &problem{broken: true, text: f.panicText(), stacks: f.stderr, panics: f.panicLine() != ""}
	}
	if text, ok := f.report("SKIP", bench); ok {
		return &problem{text: "was skipped: " + text}
	}
	return nil
}

// report looks for "--- FAIL: NAME" or "--- SKIP: NAME", and returns the last line that the
// benchmark logged before it. The testing package prints log lines at once.
func (f *finished) report(word string, bench Benchmark) (text string, found bool) {
	const noReason = "it doesn't say why"
	text = noReason
	for line := range strings.Lines(f.stdout) {
		line, marked := strings.CutPrefix(strings.TrimRight(line, "\r\n"), marker)
		switch {
		case marked && (line == "--- "+word+": "+bench.Name || line == "--- "+word+": "+bench.Result()):
			return text, true
		case marked:
			text = noReason
		case logLine.MatchString(line):
			text = strings.TrimSpace(line)
		}
	}
	return "", false
}

// logLine matches the first line of what a benchmark logged.
var logLine = regexp.MustCompile(`^ {4}\S+:[0-9]+: `)

// panicText returns a line that says how the process failed.
func (f *finished) panicText() string {
	if line := f.panicLine(); line != "" {
		return "ended with a " + line
	}
	for _, out := range []string{f.stderr, f.stdout} {
		if out != "" {
			last := out[strings.LastIndexByte(out, '\n')+1:]
			return fmt.Sprintf("ended with %v: %s", f.err, strings.TrimPrefix(last, marker))
		}
	}
	return fmt.Sprintf("ended with %v", f.err)
}

// panicLine returns the first line of the panic that ended the process, or "".
func (f *finished) panicLine() string {
	if f.err == nil {
		return ""
	}
	return cmp.Or(childproc.PanicLine(f.stderr), childproc.PanicLine(f.stdout))
}

package gobench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results"
)

// maxLine bounds a line of output, in bytes. benchfmt reads no longer ones.
const maxLine = 60 << 10

// A lineReader reads what go test prints while it measures, line by line, and ends the command at the
// first thing that keeps a benchmark from having its result.
type lineReader struct {
	want     map[benchmarkName]int // samples that each must have
	order    []benchmarkName
	of       int
	progress func(SampleProgress)

	mu      sync.Mutex // atLimit is called from another goroutine
	limited bool       // the time is up
	stack   string     // the benchmark that the dump after it shows

	partial  []byte
	pkg      string
	current  string // the benchmark whose name was printed last
	started  bool   // its sample is under way
	got      map[benchmarkName]int
	done     int
	lines    []string // of the Go benchmark format, as they were printed
	others   []string // the last lines that are none
	failure  *TestError
	logLines bool // the lines of a failure's log follow
	perhaps  bool // a panic may follow, and would be the cause of the failure
}

func newLineReader(names []benchmarkName, count int, progress func(SampleProgress)) *lineReader {
	r := &lineReader{want: map[benchmarkName]int{}, order: names, of: len(names) * count, progress: progress, got: map[benchmarkName]int{}}
	for _, n := range names {
		r.want[n] = count
	}
	return r
}

// Write takes output. Its error says that the command may end.
func (r *lineReader) Write(output []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = append(r.partial, output...)
	for {
		line, rest, ok := bytes.Cut(r.partial, []byte("\n"))
		if !ok {
			break
		}
		r.partial = rest
		r.take(string(line))
	}
	if name, ok := startedName(r.partial); ok && r.failure == nil && !r.started {
		r.start(name)
	}
	if len(r.partial) > maxLine {
		r.failWanting(wantSilence, r.current, "prints a line of more than %d KiB", maxLine>>10)
		r.partial = nil
	}
	if r.failure != nil && !r.logLines && !r.perhaps {
		return 0, errTestEnough
	}
	return len(output), nil
}

// end takes the last line, which may lack its line feed.
func (r *lineReader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.partial) > 0 {
		r.take(string(r.partial))
		r.partial = nil
	}
}

func (r *lineReader) atLimit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limited = true
}

// startedName is the name of a benchmark that go test has begun to measure: it prints the name and a
// tab, and the rest of the line when it is done.
func startedName(partial []byte) (string, bool) {
	if name, _, ok := bytes.Cut(partial, []byte("\t")); ok && bytes.HasPrefix(name, []byte("Benchmark")) {
		return string(bytes.TrimSpace(name)), true
	}
	return "", false
}

// start notes that a sample of a benchmark is under way.
func (r *lineReader) start(name string) {
	r.current, r.started = name, true
	if r.progress != nil {
		r.progress(SampleProgress{Package: r.pkg, Benchmark: name, Done: r.done, Of: r.of})
	}
}

var (
	// nameless is the rest of a result line whose name stands on the line before, and after a text
	// without a line feed.
	nameless = regexp.MustCompile(`^.*?(Benchmark\S*)?\s*\t? *[0-9]+\t +[0-9.e+-]+ \S+`)

	// endedAfterName is what the go command says of a test binary that ended after it had printed a name.
	endedAfterName = regexp.MustCompile(`\t(exit status [0-9]+|signal: .*)$`)

	// inStack is a benchmark's function in a dump of goroutines.
	inStack = regexp.MustCompile(`\.(Benchmark[\pL\pN_]*)(?:\.func|\()`)
)

func (r *lineReader) take(line string) {
	switch {
	case r.limited:
		if found := inStack.FindStringSubmatch(line); found != nil && r.stack == "" {
			r.stack = found[1]
		}
	case r.logLines:
		r.takeLog(line)
	case r.perhaps:
		if text, ok := panicText(line); ok {
			r.failure.Problem = "panics (" + text + ")"
		}
		r.perhaps = !strings.HasPrefix(line, "Benchmark") && !strings.HasPrefix(line, "panic: ")
	case r.failure != nil:
	case strings.HasPrefix(line, "Benchmark"):
		r.takeResult(line)
	case strings.HasPrefix(line, "--- FAIL: "):
		r.fail(strings.TrimPrefix(line, "--- FAIL: "), "fails")
		r.logLines = true
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
		text, _ := panicText(line)
		r.fail(r.current, "panics (%s)", text)
		if r.failure != nil && !r.started { // its name isn't printed yet: it is the first that isn't complete
			r.failure.Package, r.failure.Benchmark = r.incomplete()
		}
	case nameless.MatchString(line):
		r.prints(r.current)
	case isReadable(line):
		if pkg, ok := strings.CutPrefix(line, "pkg: "); ok {
			r.pkg = strings.TrimSpace(pkg)
			line = "pkg: " + r.pkg // space at its end would be another package to benchstat
		}
		r.lines = append(r.lines, line)
	default:
		if r.others = append(r.others, line); len(r.others) > maxTrialLines {
			r.others = r.others[1:]
		}
	}
}

// isReadable reports whether benchstat can read a line: what a program prints may only look like one that it
// can, such as the word Unit alone.
func isReadable(line string) bool {
	if !results.IsBenchmarkLine(line) {
		return false
	}
	_, err := results.ParseGoBenchmarks([]string{line})
	return err == nil
}

// takeLog takes a line after "--- FAIL": the benchmark's log is indented.
func (r *lineReader) takeLog(line string) {
	r.logLines = false
	if text := firstLine(line); strings.HasPrefix(line, "    ") && text != "" {
		r.failure.Problem += " (" + text + ")"
	}
}

// takeResult takes a line that begins with the name of a benchmark.
func (r *lineReader) takeResult(line string) {
	fields := strings.Fields(line)
	if len(fields) == 1 && !strings.Contains(line, "\t") {
		return // the name alone, as go test prints it with -v, which GOFLAGS may hold
	}
	name := fields[0]
	if !r.started {
		r.start(name)
	}
	r.started = false
	samples, err := results.ParseGoBenchmarks([]string{line})
	key := benchmarkName{r.pkg, name}
	switch {
	case strings.Contains(line, "--- FAIL: "):
		r.fail(name, "fails")
		r.logLines = true
	case strings.Contains(line, "--- SKIP: "):
		r.fail(name, "skips itself")
	case err != nil:
		r.takeDamaged(line, err)
	case r.want[key] == 0:
		r.failWanting("give it a name that stays", name, "wasn't there in the first run of the same command")
	case noTime(samples[0]) != "":
		r.failWanting("measure the work in a loop (for b.Loop() { … })", name, "%s", noTime(samples[0]))
	case r.got[key] == r.want[key]:
		r.failWanting(wantSilence, name, "has more than %d samples", r.want[key])
	default:
		r.got[key]++
		r.lines = append(r.lines, line)
		if r.done++; r.done == r.of && r.progress != nil {
			r.progress(SampleProgress{Package: r.pkg, Benchmark: name, Done: r.done, Of: r.of})
		}
	}
}

// takeDamaged takes a line that begins with the name of a benchmark and can't be read.
func (r *lineReader) takeDamaged(line string, err error) {
	fields := strings.Fields(line)
	how := endedAfterName.FindStringSubmatch(line)
	text, panicked := panicText(line)
	_, syntax := errors.AsType[*benchfmt.SyntaxError](err)
	damaged, whole := errors.AsType[*results.LineError](err)
	switch name := fields[0]; {
	case how != nil:
		r.fail(name, "ends the test binary (%s)", how[1])
	case panicked:
		r.fail(name, "panics (%s)", text)
	case whole && !syntax && len(fields) >= 4:
		r.fail(name, "reports what is no measurement (%s)", damaged.Problem)
		r.perhaps = r.failure != nil // go test prints a result of nothing while a benchmark panics
	default:
		r.prints(name)
	}
}

// leastTime is less than any processor takes for an iteration, in ns: a benchmark that is faster
// doesn't loop, and go test divided its time by a number of iterations that never were.
const leastTime = 0.1

// noTime says why a sample has no usable time, and is empty if it has. A benchmark may report metrics
// of its own instead of the time, which then isn't printed.
func noTime(s results.BenchmarkSample) string {
	ns, ok := s.Value(results.UnitMean)
	switch {
	case ok && ns >= leastTime/float64(max(1, s.Procs)):
		return ""
	case ok:
		return fmt.Sprintf("reports %v ns/op, which is no time that a loop could take", ns)
	}
	for _, v := range s.Values {
		if v.Unit != results.UnitBytes && v.Unit != results.UnitAllocations && v.Unit != results.UnitThroughput {
			return ""
		}
	}
	return "reports 0 ns/op"
}

// fail notes what keeps a benchmark from having its result. What comes after it doesn't count.
func (r *lineReader) fail(benchmark, format string, args ...any) {
	r.failWanting(wantRunnable, benchmark, format, args...)
}

func (r *lineReader) failWanting(want, benchmark, format string, args ...any) {
	if r.failure == nil && !r.limited {
		r.failure = &TestError{Package: r.pkg, Benchmark: benchmark, Problem: fmt.Sprintf(format, args...), Want: want}
	}
}

// prints notes that a benchmark prints in the middle of its line.
func (r *lineReader) prints(benchmark string) {
	r.failWanting(wantSilence, benchmark, "prints while it is measured, so that its result can't be read")
}

// incomplete returns the first benchmark that lacks samples. All before it have theirs.
func (r *lineReader) incomplete() (pkg, benchmark string) {
	for _, n := range r.order {
		if r.got[n] < r.want[n] {
			return n.pkg, n.name
		}
	}
	return r.pkg, r.current
}

// running returns the benchmark that is measured when the time is up. A dump of its goroutines shows its
// function, which has no parts and no number.
func (r *lineReader) running() (pkg, benchmark string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pkg, benchmark = r.incomplete()
	if r.stack != "" && !strings.HasPrefix(benchmark, r.stack) {
		benchmark = r.stack
	}
	return pkg, benchmark
}

// complete returns an error if the command failed without a line that says why, or if a benchmark lacks
// samples.
func (r *lineReader) complete(stderr string, failed bool) error {
	said := strings.TrimSpace(strings.Join(r.others, "\n") + "\n" + stderr)
	for _, n := range r.order {
		if r.got[n] < r.want[n] {
			return &TestError{
				Package: n.pkg, Benchmark: n.name, Problem: fmt.Sprintf("has %d of %d samples", r.got[n], r.want[n]),
				Want: "see what go test says", Output: said,
			}
		}
	}
	for _, key := range []string{"goos: ", "goarch: "} { // which text before them would hide
		if !slices.ContainsFunc(r.lines, func(line string) bool { return strings.HasPrefix(line, key) }) {
			return &TestError{Package: r.pkg, Problem: "prints before its first benchmark, so that go test's line " + key + "can't be read", Want: wantSilence}
		}
	}
	if failed {
		return &TestError{Problem: "failed", Want: "see what it says", Output: said}
	}
	return nil
}

// sampleFiles are base.txt and now.txt, which hold what was measured as the testing package printed
// it. A line is written as soon as there is one, so a killed comparison leaves what it had, and
// benchstat reads it.
type sampleFiles struct {
	files  map[string]*os.File // by side
	header map[string]string   // what stands above the last line
}

func createSamples(dir string) (*sampleFiles, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, outError(dir, err)
	}
	s := &sampleFiles{files: map[string]*os.File{}, header: map[string]string{}}
	for _, side := range []string{checkout.Base, checkout.Now} {
		f, err := os.Create(filepath.Join(dir, side+".txt"))
		if err != nil {
			return nil, errors.Join(outError(dir, err), s.Close())
		}
		s.files[side] = f
	}
	return s, nil
}

func outError(dir string, err error) error {
	return &checkout.Error{Option: "Out", Problem: fmt.Sprintf(": %s can't be made (%v)", dir, err), Want: "name a directory that can be written", Err: err}
}

// write adds a block's line, with its configuration and units where they aren't those of the line
// before.
func (s *sampleFiles) write(side string, b *block) error {
	text := b.line + "\n"
	header := strings.Join(append(b.units[:len(b.units):len(b.units)], b.config...), "\n") + "\n\n"
	if header != s.header[side] {
		s.header[side] = header
		text = header + text
	}
	_, err := s.files[side].WriteString(text)
	return err
}

// Close closes the files.
func (s *sampleFiles) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

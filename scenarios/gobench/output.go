package gobench

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/results"
)

// maxLine limits the length of a line of output, in bytes. Package benchfmt can't read longer ones.
const maxLine = 60 << 10

// A lineReader reads what go test prints while it measures, line by line. It ends the command at
// the first failure that keeps a benchmark from having its result.
type lineReader struct {
	want     map[benchmarkName]int // how many samples each must have
	order    []benchmarkName
	of       int
	progress func(SampleProgress)

	mu      sync.Mutex // atLimit is called from another goroutine
	limited bool       // the time is up
	stack   string     // the benchmark whose function is in the dump of goroutines

	partial        []byte // the last line so far
	pkg            string
	current        string // the benchmark whose name was printed last
	started        bool   // a sample of current is being measured
	got            map[benchmarkName]int
	done           int
	lines          []string // of the Go benchmark format, as they were printed
	otherLines     []string // the last of the other lines
	failure        *TestError
	inFailureLog   bool // the log of a failed benchmark follows
	panicMayFollow bool // a panic may follow, and would be the cause of the failure
}

func newLineReader(names []benchmarkName, count int, progress func(SampleProgress)) *lineReader {
	r := &lineReader{
		want: map[benchmarkName]int{}, order: names, of: len(names) * count, progress: progress,
		got: map[benchmarkName]int{},
	}
	for _, n := range names {
		r.want[n] = count
	}
	return r
}

// Write reads output. It returns an error once the outcome is known.
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
		r.readLine(string(line))
	}
	if name, ok := startedName(r.partial); ok && r.failure == nil && !r.started {
		r.start(name)
	}
	if len(r.partial) > maxLine {
		r.failWanting(wantSilence, r.current, "prints a line of more than %d KiB", maxLine>>10)
		r.partial = nil
	}
	if r.failure != nil && !r.inFailureLog && !r.panicMayFollow {
		return 0, errTestFailed
	}
	return len(output), nil
}

// end reads the last line, which may lack its line feed.
func (r *lineReader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.partial) > 0 {
		r.readLine(string(r.partial))
		r.partial = nil
	}
}

func (r *lineReader) atLimit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limited = true
}

// startedName returns the name of a benchmark that go test has begun to measure. go test prints the
// name and a tab first, and the rest of the line when the benchmark has ended.
func startedName(partial []byte) (string, bool) {
	if name, _, ok := bytes.Cut(partial, []byte("\t")); ok && bytes.HasPrefix(name, []byte("Benchmark")) {
		return string(bytes.TrimSpace(name)), true
	}
	return "", false
}

// start records that a sample of a benchmark has begun.
func (r *lineReader) start(name string) {
	r.current, r.started = name, true
	if r.progress != nil {
		r.progress(SampleProgress{Package: r.pkg, Benchmark: name, Done: r.done, Of: r.of})
	}
}

var (
	// nameless matches the rest of a result whose name is on an earlier line, because the benchmark
	// printed something in between.
	nameless = regexp.MustCompile(`^.*?(Benchmark\S*)?\s*\t? *[0-9]+\t +[0-9.e+-]+ \S+`)

	// endedAfterName matches what the go command prints if a test binary ends after a name.
	endedAfterName = regexp.MustCompile(`\t(exit status [0-9]+|signal: .*)$`)

	// inStack matches a benchmark's function in a dump of goroutines.
	inStack = regexp.MustCompile(`\.(Benchmark[\pL\pN_]*)(?:\.func|\()`)
)

// readLine reads a line without its line feed.
func (r *lineReader) readLine(line string) {
	switch {
	case r.limited:
		if found := inStack.FindStringSubmatch(line); found != nil && r.stack == "" {
			r.stack = found[1]
		}
	case r.inFailureLog:
		r.readFailureLog(line)
	case r.panicMayFollow:
		if text, ok := panicText(line); ok {
			r.failure.Problem = "panics (" + text + ")"
		}
		r.panicMayFollow = !strings.HasPrefix(line, "Benchmark") && !strings.HasPrefix(line, "panic: ")
	case r.failure != nil:
	case strings.HasPrefix(line, "Benchmark"):
		r.readResult(line)
	case strings.HasPrefix(line, "--- FAIL: "):
		r.fail(strings.TrimPrefix(line, "--- FAIL: "), "fails")
		r.inFailureLog = true
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
		text, _ := panicText(line)
		r.fail(r.current, "panics (%s)", text)
		if r.failure != nil && !r.started { // its name wasn't printed yet, so it is the first incomplete benchmark
			r.failure.Package, r.failure.Benchmark = r.incomplete()
		}
	case nameless.MatchString(line):
		r.failPrinting(r.current)
	case isReadable(line):
		if pkg, ok := strings.CutPrefix(line, "pkg: "); ok {
			r.pkg = strings.TrimSpace(pkg)
			line = "pkg: " + r.pkg // benchstat would take a name with a trailing space for another package
		}
		r.lines = append(r.lines, line)
	default:
		if r.otherLines = append(r.otherLines, line); len(r.otherLines) > maxTrialLines {
			r.otherLines = r.otherLines[1:]
		}
	}
}

// isReadable reports whether benchstat can read a line. Output of a program may look like a line of
// the format without being one, such as the word Unit alone.
func isReadable(line string) bool {
	if !results.IsBenchmarkLine(line) {
		return false
	}
	_, err := results.ParseGoBenchmarks([]string{line})
	return err == nil
}

// readFailureLog reads the line after "--- FAIL". If it is indented, it is the benchmark's log.
func (r *lineReader) readFailureLog(line string) {
	r.inFailureLog = false
	if text := firstLine(line); strings.HasPrefix(line, "    ") && text != "" {
		r.failure.Problem += " (" + text + ")"
	}
}

// readResult reads a line that begins with the name of a benchmark.
func (r *lineReader) readResult(line string) {
	fields := strings.Fields(line)
	if len(fields) == 1 && !strings.Contains(line, "\t") {
		return // go test prints the name alone with -v, which may be set by GOFLAGS
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
		r.inFailureLog = true
	case strings.Contains(line, "--- SKIP: "):
		r.fail(name, "skips itself")
	case err != nil:
		r.readDamaged(line, err)
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

// readDamaged reads a line that begins with the name of a benchmark, but isn't a result.
func (r *lineReader) readDamaged(line string, err error) {
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
		r.panicMayFollow = r.failure != nil // go test may print an empty result while a benchmark panics
	default:
		r.failPrinting(name)
	}
}

// minTime is less than any processor needs for an iteration, in nanoseconds. A faster benchmark
// doesn't loop, so that go test divided its time by iterations that never happened.
const minTime = 0.1

// noTime returns why a sample has no usable time, or "". A benchmark may report metrics of its own
// instead of the time.
func noTime(s results.BenchmarkSample) string {
	ns, ok := s.Value(results.UnitMean)
	switch {
	case ok && ns >= minTime/float64(max(1, s.Procs)):
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

// fail records why a benchmark has no result. Only the first failure counts.
func (r *lineReader) fail(benchmark, format string, args ...any) {
	r.failWanting(wantRunnable, benchmark, format, args...)
}

// failWanting is like fail. want says what to do about it.
func (r *lineReader) failWanting(want, benchmark, format string, args ...any) {
	if r.failure == nil && !r.limited {
		problem := fmt.Sprintf(format, args...)
		r.failure = &TestError{Package: r.pkg, Benchmark: benchmark, Problem: problem, Want: want}
	}
}

// failPrinting records that a benchmark printed something in the middle of its line.
func (r *lineReader) failPrinting(benchmark string) {
	r.failWanting(wantSilence, benchmark, "prints while it is measured, so that its result can't be read")
}

// incomplete returns the first benchmark that lacks samples.
func (r *lineReader) incomplete() (pkg, benchmark string) {
	for _, n := range r.order {
		if r.got[n] < r.want[n] {
			return n.pkg, n.name
		}
	}
	return r.pkg, r.current
}

// running returns the benchmark that was being measured when the time was up. The dump of
// goroutines shows its function, whose name lacks the parts for sub-benchmarks and GOMAXPROCS.
func (r *lineReader) running() (pkg, benchmark string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pkg, benchmark = r.incomplete()
	if r.stack != "" && !strings.HasPrefix(benchmark, r.stack) {
		benchmark = r.stack
	}
	return pkg, benchmark
}

// complete returns an error if a benchmark lacks samples, or if the command failed without a line
// that says why.
func (r *lineReader) complete(stderr string, failed bool) error {
	output := strings.TrimSpace(strings.Join(r.otherLines, "\n") + "\n" + stderr)
	for _, n := range r.order {
		if r.got[n] < r.want[n] {
			return &TestError{
				Package: n.pkg, Benchmark: n.name, Problem: fmt.Sprintf("has %d of %d samples", r.got[n], r.want[n]),
				Want: "see what go test says", Output: output,
			}
		}
	}
	for _, key := range []string{"goos: ", "goarch: "} { // output before them on the same line would hide them
		if !slices.ContainsFunc(r.lines, func(line string) bool { return strings.HasPrefix(line, key) }) {
			problem := "prints before its first benchmark, so that go test's line " + key + "can't be read"
			return &TestError{Package: r.pkg, Problem: problem, Want: wantSilence}
		}
	}
	if failed {
		return &TestError{Problem: "failed", Want: "see what it says", Output: output}
	}
	return nil
}

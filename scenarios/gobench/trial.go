package gobench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// A Trial is a command after each of its benchmarks was run once.
type Trial struct {
	command TestCommand
	names   []benchmarkName
}

// A benchmarkName names the benchmark of a result.
type benchmarkName struct {
	pkg  string // import path
	name string // as go test prints it: BenchmarkPush-2
}

// Try builds the packages and runs each benchmark once, for a single iteration. The error is a
// [*TestError] if something can't be measured, or the context's error if ctx is done.
func (c TestCommand) Try(ctx context.Context) (*Trial, error) {
	args := append(c.selection("test", "-json"), "-benchmem", "-benchtime", "1x")
	reader := &eventReader{explicit: slices.DeleteFunc(slices.Clone(c.Packages), isPattern)}
	stderr, failed, err := c.run(ctx, reader, append(args, c.Packages...))
	if err != nil {
		return nil, err
	}
	if err := reader.problem(c, stderr, failed); err != nil {
		return nil, err
	}
	return &Trial{command: c, names: reader.names()}, nil
}

// Samples returns how many samples the measurement will take.
func (t *Trial) Samples() int { return len(t.names) * t.command.count() }

// Has reports whether the trial ran a benchmark in any of the packages. The name is without
// "Benchmark", and may be without GOMAXPROCS.
func (t *Trial) Has(name string) bool {
	return slices.ContainsFunc(t.names, func(n benchmarkName) bool {
		own := strings.TrimPrefix(n.name, "Benchmark")
		return own == name || procsSuffix.ReplaceAllString(own, "") == name
	})
}

// procsSuffix matches GOMAXPROCS at the end of a benchmark's name.
var procsSuffix = regexp.MustCompile(`-[0-9]+$`)

// isPattern reports whether a package argument may stand for many packages.
func isPattern(pkg string) bool { return strings.Contains(pkg, "...") }

// A testEvent is a line of the output of go test -json.
type testEvent struct{ Action, ImportPath, Package, Test, Output string }

// maxTrialLines limits the lines that are kept of one benchmark, package or build.
const maxTrialLines = 40

// An eventReader reads the output of go test -json.
type eventReader struct {
	explicit []string // packages that the command names without a pattern
	partial  []byte   // the last line so far
	packages []*trialPackage
	build    []string // the output of the compiler
	suffix   string   // GOMAXPROCS in the names of all benchmarks, once a result has shown it
}

type trialPackage struct {
	path       string
	failed     bool
	output     []string
	benchmarks []*trialBenchmark
}

type trialBenchmark struct {
	name            string // without GOMAXPROCS
	output          []string
	ran             bool // the benchmark has a result
	skipped, failed bool
}

// Write reads output.
func (r *eventReader) Write(output []byte) (int, error) {
	r.partial = append(r.partial, output...)
	for {
		line, rest, ok := bytes.Cut(r.partial, []byte("\n"))
		if !ok {
			return len(output), nil
		}
		r.partial = rest
		var e testEvent
		if json.Unmarshal(line, &e) == nil {
			r.handle(e)
		}
	}
}

func (*eventReader) atLimit() {}

func (*eventReader) end() {}

func (r *eventReader) handle(e testEvent) {
	if e.Action == "build-output" {
		r.build = appendOutput(r.build, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.pkg(e.Package)
	if e.Test == "" {
		p.output = appendOutput(p.output, e.Output)
		p.failed = p.failed || e.Action == "fail"
		return
	}
	b := p.benchmark(e.Test)
	switch e.Action {
	case "skip":
		b.skipped = true
	case "fail":
		b.failed = true
	case "output":
		b.output = appendOutput(b.output, e.Output)
		r.noteResult(b, e.Output)
	}
}

func (r *eventReader) pkg(path string) *trialPackage {
	i := slices.IndexFunc(r.packages, func(p *trialPackage) bool { return p.path == path })
	if i < 0 {
		i = len(r.packages)
		r.packages = append(r.packages, &trialPackage{path: path})
	}
	return r.packages[i]
}

func (p *trialPackage) benchmark(name string) *trialBenchmark {
	i := slices.IndexFunc(p.benchmarks, func(b *trialBenchmark) bool { return b.name == name })
	if i < 0 {
		i = len(p.benchmarks)
		p.benchmarks = append(p.benchmarks, &trialBenchmark{name: name})
	}
	return p.benchmarks[i]
}

// appendOutput appends the text of an event, unless there are maxTrialLines already.
func appendOutput(lines []string, text string) []string {
	if text = strings.TrimRight(text, "\n"); text == "" || len(lines) == maxTrialLines {
		return lines
	}
	return append(lines, text)
}

// oneIteration matches the part of a result of a single iteration that follows the name.
var oneIteration = regexp.MustCompile(`(^|\t) +1\t`)

// noteResult looks for a result in output, and for the GOMAXPROCS that ends the benchmark's name.
func (r *eventReader) noteResult(b *trialBenchmark, output string) {
	if !strings.Contains(output, "\t") {
		return // most of what a benchmark prints itself, which may be a flood
	}
	b.ran = b.ran || oneIteration.MatchString(output)
	if _, rest, ok := strings.Cut(output, b.name); ok && strings.Contains(rest, "\t") { // text may precede it
		r.suffix = cmp.Or(procsSuffix.FindString(strings.Fields(rest + " x")[0]), r.suffix)
	}
}

// names returns the benchmarks that have a result, by the names that go test prints.
func (r *eventReader) names() []benchmarkName {
	var names []benchmarkName
	for _, p := range r.packages {
		for _, b := range p.benchmarks {
			if b.ran {
				names = append(names, benchmarkName{p.path, b.name + r.suffix})
			}
		}
	}
	return names
}

// running returns the benchmark that began last.
func (r *eventReader) running() (pkg, benchmark string) {
	for _, p := range r.packages {
		pkg, benchmark = p.path, ""
		for _, b := range p.benchmarks {
			benchmark = b.name
		}
	}
	return pkg, benchmark
}

// problem returns why the benchmarks can't be measured, or nil.
func (r *eventReader) problem(c TestCommand, stderr string, failed bool) error {
	for _, p := range r.packages {
		if err := p.problem(c, r.build); err != nil {
			return err
		}
	}
	if failed {
		output := strings.TrimSpace(strings.Join(r.build, "\n") + "\n" + stderr)
		return &TestError{Problem: "failed", Want: "see what it says", Output: output}
	}
	const want = "want a regular expression that matches one, as go test -bench takes it"
	problem := "no benchmark matches " + c.quoteRegexp()
	if len(r.names()) == 0 {
		return &TestError{Package: strings.Join(c.Packages, " "), Problem: problem, Want: want}
	}
	for _, name := range r.explicit {
		for _, p := range r.packages {
			if len(p.benchmarks) == 0 && isPackage(p.path, name) {
				return &TestError{Package: name, Problem: problem, Want: want + ", or leave the package out"}
			}
		}
	}
	return nil
}

// quoteRegexp returns the command's regular expressions for a message.
func (c TestCommand) quoteRegexp() string {
	text := `"` + c.Run + `"`
	if c.Skip != "" {
		text += ` without "` + c.Skip + `"`
	}
	return text
}

// isPackage reports whether argument, which is no pattern, names the package with an import path.
func isPackage(path, argument string) bool {
	argument = strings.Trim(strings.TrimPrefix(argument, "./"), "/")
	return path == argument || argument != "." && strings.HasSuffix(path, "/"+argument)
}

const wantRunnable = "make it run, or leave it out with -skip"

// problem returns why the benchmarks of a package can't be measured, or nil. build is the output of
// the compiler.
func (p *trialPackage) problem(c TestCommand, build []string) error {
	output := strings.Join(p.output, "\n")
	switch {
	case strings.Contains(output, "[build failed]"):
		e := &TestError{
			Package: p.path, Problem: "doesn't compile", Want: "make it build", Output: strings.Join(build, "\n"),
		}
		if words := strings.Fields(e.Output); len(words) > 1 && words[0] == "#" {
			e.Package = words[1] // the compiler names the package; go test reports the others as failed, too
		}
		return e
	case strings.Contains(output, "[setup failed]"):
		return &TestError{
			Package: p.path, Problem: "can't be loaded", Want: "name a package that exists",
			Output: strings.Join(build, "\n"),
		}
	}
	for i, b := range p.benchmarks {
		e := &TestError{Package: p.path, Benchmark: b.name, Want: wantRunnable}
		died := p.failed && i == len(p.benchmarks)-1 && !p.anyFailed("")
		switch panicked, ok := panicIn(b.output); {
		case b.skipped:
			e.Problem = "skips itself" + b.firstOutput()
		case ok && (b.failed || died):
			e.Problem = "panics (" + panicked + ")"
		case b.failed && !p.anyFailed(b.name+"/"): // otherwise a sub-benchmark says why
			e.Problem = "fails" + b.firstOutput()
		case died && !b.ran:
			e.Problem = "ends the test binary" + b.firstOutput()
		case b.ran, p.has(b.name + "/"), b.failed:
			continue
		case strings.Contains(c.Run, "/"):
			continue // it only runs sub-benchmarks, none of which matches
		default:
			e.Problem = "gives no result" + b.firstOutput()
		}
		return e
	}
	if p.failed {
		// While a benchmark panics, go test may print an empty result, and then doesn't attribute
		// the panic to a benchmark.
		if text, ok := panicIn(p.output); ok && len(p.benchmarks) > 0 {
			last := p.benchmarks[len(p.benchmarks)-1].name
			e := &TestError{Package: p.path, Benchmark: last, Problem: "panics (" + text + ")", Want: wantRunnable}
			if found := inStack.FindStringSubmatch(output); found != nil && !strings.HasPrefix(e.Benchmark, found[1]) {
				e.Benchmark = found[1]
			}
			return e
		}
		return &TestError{Package: p.path, Problem: "failed", Want: "see what it says", Output: output}
	}
	return nil
}

// has reports whether there is a benchmark whose name begins with prefix.
func (p *trialPackage) has(prefix string) bool {
	return slices.ContainsFunc(p.benchmarks, func(b *trialBenchmark) bool {
		return strings.HasPrefix(b.name, prefix)
	})
}

// anyFailed reports whether a benchmark failed whose name begins with prefix.
func (p *trialPackage) anyFailed(prefix string) bool {
	return slices.ContainsFunc(p.benchmarks, func(b *trialBenchmark) bool {
		return b.failed && strings.HasPrefix(b.name, prefix)
	})
}

// firstOutput returns the first line that the benchmark logged or printed, in parentheses, or "".
func (b *trialBenchmark) firstOutput() string {
	for _, line := range b.output {
		text := strings.TrimSpace(line)
		isOwn := func(prefix string) bool { return strings.HasPrefix(text, prefix) } // whether go test printed the text
		if text != "" && !slices.ContainsFunc([]string{"=== ", "--- ", "Benchmark"}, isOwn) {
			return " (" + firstLine(text) + ")"
		}
	}
	return ""
}

// panicIn returns the text of the first panic in the lines. It reports whether there is one.
func panicIn(lines []string) (text string, ok bool) {
	for _, line := range lines {
		if text, ok = panicText(line); ok {
			return text, true
		}
	}
	return "", false
}

// panicText returns the text of the panic or fatal error in a line. It reports whether there is
// one.
func panicText(line string) (string, bool) {
	for _, prefix := range []string{"panic: ", "fatal error: "} {
		if _, text, found := strings.Cut(line, prefix); found {
			return firstLine(text), true
		}
	}
	return "", false
}

// firstLine returns the first line of text, shortened for a message.
func firstLine(text string) string {
	const maxRunes = 200
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(text); len(runes) > maxRunes {
		return string(runes[:maxRunes]) + "…"
	}
	return text
}

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

// A Trial is a command whose benchmarks were each run once.
type Trial struct {
	command TestCommand
	names   []benchmarkName
}

// benchmarkName names what a result line is of.
type benchmarkName struct {
	pkg  string // import path
	name string // as go test prints it: BenchmarkPush-2
}

// Try builds the packages and runs each benchmark once, for a single iteration. Its error is a
// [*TestError] if something can't be measured, and the context's if that ended.
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

// Has reports whether the trial ran a benchmark, given without "Benchmark" and GOMAXPROCS, in any of
// the packages.
func (t *Trial) Has(name string) bool {
	return slices.ContainsFunc(t.names, func(n benchmarkName) bool {
		return trimProcs(strings.TrimPrefix(n.name, "Benchmark")) == name || strings.TrimPrefix(n.name, "Benchmark") == name
	})
}

var procsSuffix = regexp.MustCompile(`-[0-9]+$`)

func trimProcs(name string) string { return procsSuffix.ReplaceAllString(name, "") }

// isPattern reports whether a package argument may stand for many packages.
func isPattern(pkg string) bool { return strings.Contains(pkg, "...") }

// A testEvent is a line of go test -json.
type testEvent struct{ Action, ImportPath, Package, Test, Output string }

// maxTrialLines bounds the lines that are kept of one benchmark, package or build.
const maxTrialLines = 40

// An eventReader reads go test -json.
type eventReader struct {
	explicit []string // packages that the command names one by one
	partial  []byte
	packages []*trialPackage
	build    []string // what the compiler printed
	suffix   string   // of GOMAXPROCS, as far as it was seen; the same for all benchmarks
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
	ran             bool // there is a result
	skipped, failed bool
}

// Write takes output.
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
			r.take(e)
		}
	}
}

func (*eventReader) atLimit() {}

func (*eventReader) end() {}

func (r *eventReader) take(e testEvent) {
	if e.Action == "build-output" {
		r.build = keep(r.build, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.pkg(e.Package)
	if e.Test == "" {
		p.output = keep(p.output, e.Output)
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
		b.output = keep(b.output, e.Output)
		r.see(b, e.Output)
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

// keep appends the text of an event, up to a bound.
func keep(lines []string, text string) []string {
	if text = strings.TrimRight(text, "\n"); text == "" || len(lines) == maxTrialLines {
		return lines
	}
	return append(lines, text)
}

// oneIteration is the part of a result line after the name: a single iteration.
var oneIteration = regexp.MustCompile(`(^|\t) +1\t`)

// see looks for a result, and for the number that ends the name.
func (r *eventReader) see(b *trialBenchmark, output string) {
	b.ran = b.ran || oneIteration.MatchString(output)
	if _, rest, ok := strings.Cut(output, b.name); ok && strings.Contains(rest, "\t") { // text may stand before it
		r.suffix = cmp.Or(procsSuffix.FindString(strings.Fields(rest + " x")[0]), r.suffix)
	}
}

// names returns the benchmarks that have a result, as go test will print them.
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

// running returns what was run last.
func (r *eventReader) running() (pkg, benchmark string) {
	for _, p := range r.packages {
		pkg, benchmark = p.path, ""
		for _, b := range p.benchmarks {
			benchmark = b.name
		}
	}
	return pkg, benchmark
}

// problem returns what keeps the benchmarks from being measured, or nil.
func (r *eventReader) problem(c TestCommand, stderr string, failed bool) error {
	for _, p := range r.packages {
		if err := p.problem(c, r.build); err != nil {
			return err
		}
	}
	if failed {
		return &TestError{Problem: "failed", Want: "see what it says", Output: strings.TrimSpace(strings.Join(r.build, "\n") + "\n" + stderr)}
	}
	const want = "want a regular expression that matches one, as go test -bench takes it"
	if len(r.names()) == 0 {
		return &TestError{Package: strings.Join(c.Packages, " "), Problem: "no benchmark matches " + quoteRegexp(c), Want: want}
	}
	for _, name := range r.explicit {
		for _, p := range r.packages {
			if len(p.benchmarks) == 0 && isPackage(p.path, name) {
				return &TestError{Package: name, Problem: "no benchmark matches " + quoteRegexp(c), Want: want + ", or leave the package out"}
			}
		}
	}
	return nil
}

func quoteRegexp(c TestCommand) string {
	text := `"` + c.Run + `"`
	if c.Skip != "" {
		text += ` without "` + c.Skip + `"`
	}
	return text
}

// isPackage reports whether a package argument without dots names the package of that import path.
func isPackage(path, argument string) bool {
	argument = strings.Trim(strings.TrimPrefix(argument, "./"), "/")
	return path == argument || argument != "." && strings.HasSuffix(path, "/"+argument)
}

const wantRunnable = "make it run, or leave it out with -skip"

func (p *trialPackage) problem(c TestCommand, build []string) error {
	output := strings.Join(p.output, "\n")
	switch {
	case strings.Contains(output, "[build failed]"):
		e := &TestError{Package: p.path, Problem: "doesn't compile", Want: "make it build", Output: strings.Join(build, "\n")}
		if words := strings.Fields(e.Output); len(words) > 1 && words[0] == "#" {
			e.Package = words[1] // the compiler names it, and go test fails every package beside it
		}
		return e
	case strings.Contains(output, "[setup failed]"):
		return &TestError{Package: p.path, Problem: "can't be loaded", Want: "name a package that exists", Output: strings.Join(build, "\n")}
	}
	for i, b := range p.benchmarks {
		e := &TestError{Package: p.path, Benchmark: b.name, Want: wantRunnable}
		died := p.failed && i == len(p.benchmarks)-1 && !p.anyFailed("")
		switch panicked, ok := panicIn(b.output); {
		case b.skipped:
			e.Problem = "skips itself" + b.said()
		case ok && (b.failed || died):
			e.Problem = "panics (" + panicked + ")"
		case b.failed && !p.anyFailed(b.name+"/"): // else its part says why
			e.Problem = "fails" + b.said()
		case died && !b.ran:
			e.Problem = "ends the test binary" + b.said()
		case b.ran, p.has(b.name + "/"), b.failed:
			continue
		case strings.Contains(c.Run, "/"):
			continue // it is only there for its parts, of which none matches
		default:
			e.Problem = "gives no result" + b.said()
		}
		return e
	}
	if p.failed {
		// While a benchmark panics, go test may print a result of nothing, and the panic is then of none.
		if text, ok := panicIn(p.output); ok && len(p.benchmarks) > 0 {
			e := &TestError{Package: p.path, Benchmark: p.benchmarks[len(p.benchmarks)-1].name, Problem: "panics (" + text + ")", Want: wantRunnable}
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
	return slices.ContainsFunc(p.benchmarks, func(b *trialBenchmark) bool { return strings.HasPrefix(b.name, prefix) })
}

// anyFailed reports whether a benchmark failed whose name begins with prefix.
func (p *trialPackage) anyFailed(prefix string) bool {
	return slices.ContainsFunc(p.benchmarks, func(b *trialBenchmark) bool { return b.failed && strings.HasPrefix(b.name, prefix) })
}

// said returns what the benchmark logged or printed first, in parentheses, or "".
func (b *trialBenchmark) said() string {
	for _, line := range b.output {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") || strings.HasPrefix(text, "Benchmark") {
			continue
		}
		return " (" + firstLine(text) + ")"
	}
	return ""
}

// panicIn returns what the first panic among the lines is about. ok is false if there is none.
func panicIn(lines []string) (text string, ok bool) {
	for _, line := range lines {
		if text, ok = panicText(line); ok {
			return text, true
		}
	}
	return "", false
}

// panicText returns the panic or other fatal error that a line holds, and whether it holds one.
func panicText(line string) (string, bool) {
	for _, prefix := range []string{"panic: ", "fatal error: "} {
		if _, text, found := strings.Cut(line, prefix); found {
			return firstLine(text), true
		}
	}
	return "", false
}

// firstLine is text at a length that fits a line of a message.
func firstLine(text string) string {
	const most = 200
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

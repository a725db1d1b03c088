package gobench

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// firstRuns holds the benchmarks of a package of one side.
type firstRuns map[Benchmark]firstRun

// A firstRun is one iteration of a benchmark.
type firstRun struct {
	took    time.Duration
	problem *problem // what kept it from running, or nil
}

// discover runs every benchmark that pattern matches for one iteration, to find sub-benchmarks and
// benchmarks that can't be measured. If a benchmark ends the process, discover tries again without
// it, so that the others are found.
func (b *binary) discover(ctx context.Context, pattern string, procs []int) (firstRuns, error) {
	all := firstRuns{}
	cpus := make([]string, len(procs))
	for i, n := range procs {
		cpus[i] = strconv.Itoa(n)
	}
	var skip []string // top-level benchmarks that ended the process
	for {
		args := []string{"-test.bench=" + pattern, "-test.benchtime=1x", "-test.cpu=" + strings.Join(cpus, ",")}
		if len(skip) > 0 {
			args = append(args, "-test.skip="+strings.Join(skip, "|"))
		}
		f, err := b.run(ctx, args...)
		if err != nil {
			return nil, err
		}
		if began := strings.Contains(f.stdout, marker+"=== RUN "); !began && (f.timedOut || f.err != nil) {
			cause := f.panicText()
			if f.timedOut {
				cause = fmt.Sprintf("has not begun one after %v", b.limit)
			}
			return nil, &checkout.Error{
				Problem: fmt.Sprintf("%s: the tests of %s end before any benchmark begins", b.tree, b.pkg.ImportPath),
				Want:    "make `go test -bench` work there", Detail: []string{cause},
			}
		}
		ended := f.addTo(all, b.pkg.ImportPath, procs)
		if ended == "" {
			return all, nil
		}
		top, _, _ := strings.Cut(ended, "/")
		top = "^" + regexp.QuoteMeta(top) + "$"
		if slices.Contains(skip, top) {
			return all, nil
		}
		skip = append(skip, top)
	}
}

// addTo adds the benchmarks that a process ran to all. If a benchmark ended the process, addTo
// returns its name.
func (f *finished) addTo(all firstRuns, pkg string, procs []int) (ended string) {
	var names []string // in the order in which they ran, with parents
	for line := range strings.Lines(f.stdout) {
		if name, ok := strings.CutPrefix(line, marker+"=== RUN "); ok {
			if name = strings.TrimSpace(name); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	// While a panic ends the process, the testing package may continue: it prints an empty result
	// and FAIL, and begins the next benchmark. The output then says nothing about that next one.
	if f.timedOut || f.panicLine() != "" || f.err != nil && !strings.Contains(f.stdout, marker+"FAIL") {
		if i := f.panicked(names); i >= 0 {
			names = names[:i+1]
		}
		if len(names) > 0 {
			ended = names[len(names)-1]
		}
	}
	for _, name := range names {
		// A parent has no result of its own. It may fail because a child failed, or by itself.
		children := slices.DeleteFunc(slices.Clone(names), func(other string) bool {
			return !strings.HasPrefix(other, name+"/")
		})
		for _, n := range procs {
			bench := Benchmark{Package: pkg, Name: name, Procs: n}
			_, failed := f.report("FAIL", bench)
			explained := slices.ContainsFunc(children, func(child string) bool {
				_, failed := f.report("FAIL", Benchmark{pkg, child, n})
				return failed
			})
			before, ran := all[bench]
			ran = ran && before.problem == nil
			switch matched := resultOf(bench).MatchString(f.stdout); {
			case name == ended && !(f.timedOut && (matched || ran)):
				all[bench] = firstRun{problem: f.problem(bench)}
			case matched:
				all[bench] = firstRun{took: f.firstIteration(bench)}
			case ran, len(children) > 0 && (!failed || explained):
			default:
				all[bench] = firstRun{problem: f.whyNoResult(bench)}
			}
		}
	}
	return ended
}

// panicked returns the index of the last name whose function is in the stack trace of the goroutine
// that panicked, or -1 if there is none.
func (f *finished) panicked(names []string) int {
	line := f.panicLine()
	if line == "" {
		return -1
	}
	_, trace, _ := strings.Cut(f.stderr+f.stdout, line)
	_, trace, _ = strings.Cut(trace, " [running]:\n")
	trace, _, _ = strings.Cut(trace, "\n\n")
	for i, name := range slices.Backward(names) {
		top, _, _ := strings.Cut(name, "/")
		// A call, a closure in it, a generic instance of it, or a goroutine that it started.
		if regexp.MustCompile(`\.` + regexp.QuoteMeta(top) + `(\(|\.|\[| in goroutine )`).MatchString(trace) {
			return i
		}
	}
	return -1
}

// whyNoResult returns why a benchmark has no result although its process ran to the end.
func (f *finished) whyNoResult(bench Benchmark) *problem {
	if text, ok := f.report("FAIL", bench); ok {
		return &problem{broken: true, text: "failed: " + text}
	}
	if text, ok := f.report("SKIP", bench); ok {
		return &problem{text: "was skipped: " + text}
	}
	return &problem{text: "printed no result"}
}

// firstIteration returns how long a benchmark's single iteration took, or 0 if the output doesn't
// say.
func (f *finished) firstIteration(bench Benchmark) time.Duration {
	b, err := f.measured(bench)
	if err != nil {
		return 0 // measuring a block reports what is wrong
	}
	return b.elapsed()
}

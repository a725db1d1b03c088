package gobench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/results"
)

// A TestCommand is a `go test -bench` command.
type TestCommand struct {
	Dir       string        // where it runs; empty means the current directory
	Packages  []string      // as go test takes them
	Run, Skip string        // the regular expressions of -bench and -skip; an empty Skip skips nothing
	Count     int           // samples per benchmark; 0 means 10
	BenchTime string        // of -benchtime; empty leaves it to go test, whose default is a second
	Limit     time.Duration // how long the command may take, building included; 0 means DefaultTestLimit

	Progress func(SampleProgress) // called from one goroutine at a time; may be nil
}

// DefaultTestLimit is how long a command may take unless it says otherwise.
const DefaultTestLimit = 20 * time.Minute

const defaultSamples = 10

// maxTestOutput bounds what a command may print, in bytes.
const maxTestOutput = 64 << 20

// SampleProgress says how far a measurement is.
type SampleProgress struct {
	Package   string
	Benchmark string // that is measured now, such as BenchmarkPush-2
	Done, Of  int    // samples of all benchmarks
}

// A TestError says why benchmarks can't be measured. Nothing of them is then for use.
type TestError struct {
	Package   string // its import path, or as the command names it; empty if no one package is to blame
	Benchmark string // with the prefix Benchmark; empty likewise
	Problem   string // what is wrong
	Want      string // what to do about it
	Output    string // lines that explain it, such as the compiler's; may be empty
}

// Error is one line that names the package, the benchmark, what is wrong and what to do. The lines of
// Output follow.
func (e *TestError) Error() string {
	var b strings.Builder
	b.WriteString(cmp.Or(e.Package, "go test"))
	b.WriteString(": ")
	if e.Benchmark != "" {
		b.WriteString(e.Benchmark + " ")
	}
	b.WriteString(e.Problem)
	if e.Want != "" {
		b.WriteString(": " + e.Want)
	}
	if e.Output != "" {
		b.WriteString("\n  " + strings.ReplaceAll(e.Output, "\n", "\n  "))
	}
	return b.String()
}

const wantSilence = "have it print nothing (b.Log is shown after the result), or leave it out with -skip"

// args are the arguments of the go command.
func (c TestCommand) args() []string {
	args := c.selection("test")
	args = append(args, "-benchmem", "-count", strconv.Itoa(c.count()))
	if c.BenchTime != "" {
		args = append(args, "-benchtime", c.BenchTime)
	}
	return append(args, c.Packages...)
}

func (c TestCommand) count() int { return cmp.Or(c.Count, defaultSamples) }

// selection appends the flags that select the benchmarks.
func (c TestCommand) selection(args ...string) []string {
	args = append(args, "-run", "^$", "-bench", c.Run)
	if c.Skip != "" {
		args = append(args, "-skip", c.Skip)
	}
	return args
}

// String returns the command as a shell reads it.
func (c TestCommand) String() string { return shell.Join(append([]string{"go"}, c.args()...)...) }

var (
	errTestLimit  = errors.New("the time limit of a benchmark's command")
	errTestOutput = errors.New("too much output of a benchmark's command")
	errTestEnough = errors.New("what is wrong with a benchmark is known")
)

// A testReader takes the output of a go test command.
type testReader interface {
	// Write takes output, and returns an error when the command is to end.
	Write(output []byte) (int, error)

	// atLimit tells the reader that the time is up: what follows is a dump of goroutines.
	atLimit()

	// end tells it that the output has ended.
	end()

	// running returns the benchmark that was under way at the end.
	running() (pkg, benchmark string)
}

// run runs the go command, with what it prints on standard output going to reader, and returns the
// end of what it printed on standard error. failed reports whether the command failed by itself; err
// says why it was ended, or could not be started.
func (c TestCommand) run(ctx context.Context, reader testReader, args []string) (stderr string, failed bool, err error) {
	limit := cmp.Or(c.Limit, DefaultTestLimit)
	limited, stop := context.WithTimeoutCause(ctx, limit, errTestLimit)
	defer stop()
	limited, end := context.WithCancelCause(limited)
	defer end(nil)

	var tail childproc.Tail
	cmd := childproc.Command(limited, "go", args...)
	cmd.Dir = c.Dir
	cmd.Stdout, cmd.Stderr = &boundedOutput{reader: reader, end: end}, &tail
	cmd.Cancel = func() error {
		if errors.Is(context.Cause(limited), errTestLimit) {
			reader.atLimit()
			return childproc.QuitGroup(cmd) // the stacks say which benchmark it is
		}
		return childproc.InterruptGroup(cmd)
	}
	err = cmd.Run()
	reader.end()
	if cmd.Process != nil {
		_ = childproc.KillGroup(cmd) // what didn't end when it was asked to; mostly nothing
	}
	switch cause := context.Cause(limited); {
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	case errors.Is(cause, errTestLimit):
		return "", false, c.tooLong(reader.running())
	case errors.Is(cause, errTestOutput):
		pkg, benchmark := reader.running()
		return "", false, &TestError{Package: pkg, Benchmark: benchmark, Problem: fmt.Sprintf("prints more than %d MiB", maxTestOutput>>20), Want: wantSilence}
	case errors.Is(cause, errTestEnough):
		return "", false, cause
	case errors.Is(err, exec.ErrNotFound):
		return "", false, &TestError{Problem: "the go command is not installed, or not in PATH", Want: "install Go"}
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return "", false, fmt.Errorf("go test: %w", err)
	}
	return tail.String(), err != nil, nil
}

// boundedOutput hands output on and ends the command when there is too much of it, or when the reader
// has seen enough.
type boundedOutput struct {
	reader testReader
	end    context.CancelCauseFunc
	taken  int
}

// Write never fails: a command whose output nobody reads would block instead of ending.
func (o *boundedOutput) Write(output []byte) (int, error) {
	if o.taken += len(output); o.taken > maxTestOutput {
		o.end(errTestOutput)
		return len(output), nil
	}
	if _, err := o.reader.Write(output); err != nil {
		o.end(err)
	}
	return len(output), nil
}

// tooLong is the error about a benchmark that was running when the time was up.
func (c TestCommand) tooLong(pkg, benchmark string) error {
	e := &TestError{
		Package: pkg, Benchmark: benchmark, Problem: fmt.Sprintf("was still running after %v, the time limit of the command", cmp.Or(c.Limit, DefaultTestLimit)),
		Want: "make it end, leave it out with -skip, or allow more time",
	}
	if benchmark == "" {
		e.Problem = strings.Replace(e.Problem, "was still running", "had no benchmark running yet", 1)
	}
	return e
}

// Measure runs the command. Its error is a [*TestError] if a benchmark gives no usable result, and the
// context's if that ended.
func (t *Trial) Measure(ctx context.Context) (*results.GoBenchmarks, error) {
	c := t.command
	reader := newLineReader(t.names, c.count(), c.Progress)
	stderr, failed, err := c.run(ctx, reader, c.args())
	switch {
	case err != nil && !errors.Is(err, errTestEnough):
		return nil, err
	case reader.failure != nil:
		return nil, reader.failure
	}
	if err := reader.complete(stderr, failed); err != nil {
		return nil, err
	}
	samples, err := results.ParseGoBenchmarks(reader.lines)
	if err != nil {
		return nil, &TestError{Problem: "printed what isn't its format (" + err.Error() + ")", Want: wantSilence}
	}
	return &results.GoBenchmarks{Command: c.String(), Lines: reader.lines, Samples: samples}, nil
}

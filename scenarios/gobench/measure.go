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
	Dir       string        // the directory where it runs; empty means the current one
	Packages  []string      // as go test takes them
	Run, Skip string        // the regular expressions of -bench and -skip; an empty Skip skips nothing
	Count     int           // samples per benchmark; 0 means 10
	BenchTime string        // the value of -benchtime; empty means go test's default, a second
	Limit     time.Duration // how long the command may take, building included; 0 means DefaultTestLimit

	Progress func(SampleProgress) // called from one goroutine at a time; may be nil
}

// DefaultTestLimit is the default of TestCommand.Limit.
const DefaultTestLimit = 20 * time.Minute

const defaultSamples = 10

// maxTestOutput limits the output of a command, in bytes.
const maxTestOutput = 64 << 20

// SampleProgress says how far a measurement is.
type SampleProgress struct {
	Package   string
	Benchmark string // being measured now, such as BenchmarkPush-2
	Done, Of  int    // samples of all benchmarks
}

// A TestError says why benchmarks can't be measured. Samples measured before are discarded.
type TestError struct {
	Package   string // import path, or as the command names it; empty if it isn't a single package's fault
	Benchmark string // with the prefix Benchmark; empty if it isn't a single benchmark's fault
	Problem   string // what is wrong
	Want      string // what to do about it
	Output    string // lines that explain it, such as the compiler's; may be empty
}

// Error returns a line that names the package, the benchmark, what is wrong and what to do,
// followed by the lines of Output.
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

// args returns the arguments of the go command.
func (c TestCommand) args() []string {
	args := c.selection("test")
	args = append(args, "-benchmem", "-count", strconv.Itoa(c.count()))
	if c.BenchTime != "" {
		args = append(args, "-benchtime", c.BenchTime)
	}
	return append(args, c.Packages...)
}

func (c TestCommand) count() int { return cmp.Or(c.Count, defaultSamples) }

// selection appends the flags that select the benchmarks to args.
func (c TestCommand) selection(args ...string) []string {
	args = append(args, "-run", "^$", "-bench", c.Run)
	if c.Skip != "" {
		args = append(args, "-skip", c.Skip)
	}
	return args
}

// String returns the command line as one would type it in a shell.
func (c TestCommand) String() string { return shell.Join(append([]string{"go"}, c.args()...)...) }

var (
	errTestLimit  = errors.New("the time limit of a benchmark's command")
	errTestOutput = errors.New("too much output of a benchmark's command")
	errTestFailed = errors.New("what is wrong with a benchmark is known")
)

// A testReader reads the output of a go test command.
type testReader interface {
	// Write reads output. It returns an error if the command should end.
	Write(output []byte) (int, error)

	// atLimit tells the reader that the time is up, so that a dump of goroutines follows.
	atLimit()

	// end tells the reader that there is no more output.
	end()

	// running returns the benchmark that was running at the end.
	running() (pkg, benchmark string)
}

// run runs the go command. It copies the command's standard output to reader, and returns the end
// of its standard error. failed reports whether the command failed by itself; err says why run
// ended the command or could not start it.
func (c TestCommand) run(
	ctx context.Context, reader testReader, args []string,
) (stderr string, failed bool, err error) {
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
			return childproc.QuitGroup(cmd) // the stacks show which benchmark was running
		}
		return childproc.InterruptGroup(cmd)
	}
	err = cmd.Run()
	reader.end()
	if cmd.Process != nil {
		_ = childproc.KillGroup(cmd) // usually the whole group has ended already
	}
	switch cause := context.Cause(limited); {
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	case errors.Is(cause, errTestLimit):
		return "", false, c.tooLong(reader.running())
	case errors.Is(cause, errTestOutput):
		pkg, benchmark := reader.running()
		problem := fmt.Sprintf("prints more than %d MiB", maxTestOutput>>20)
		return "", false, &TestError{Package: pkg, Benchmark: benchmark, Problem: problem, Want: wantSilence}
	case errors.Is(cause, errTestFailed):
		return "", false, cause
	case errors.Is(err, exec.ErrNotFound):
		const problem = "the go command is not installed, or not in PATH"
		return "", false, &TestError{Problem: problem, Want: "install Go"}
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return "", false, fmt.Errorf("go test: %w", err)
	}
	return tail.String(), err != nil, nil
}

// A boundedOutput copies output to a testReader. It ends the command if there is too much output,
// or if the reader returns an error.
type boundedOutput struct {
	reader testReader
	end    context.CancelCauseFunc
	taken  int
}

// Write never returns an error, because a command whose output isn't read would block instead of
// ending.
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

// tooLong returns the error about the benchmark that was running when the time was up.
func (c TestCommand) tooLong(pkg, benchmark string) error {
	what := "was still running"
	if benchmark == "" {
		what = "had no benchmark running yet"
	}
	return &TestError{
		Package: pkg, Benchmark: benchmark,
		Problem: fmt.Sprintf("%s after %v, the time limit of the command", what, cmp.Or(c.Limit, DefaultTestLimit)),
		Want:    "make it end, leave it out with -skip, or allow more time",
	}
}

// Measure runs the command. The error is a [*TestError] if a benchmark has no usable result, and
// the context's if ctx is done.
func (t *Trial) Measure(ctx context.Context) (*results.GoBenchmarks, error) {
	c := t.command
	reader := newLineReader(t.names, c.count(), c.Progress)
	stderr, failed, err := c.run(ctx, reader, c.args())
	switch {
	case err != nil && !errors.Is(err, errTestFailed):
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

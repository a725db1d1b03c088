// Package cli holds what the commands of fleetmark share: the streams that they read and write, the
// properties of terminals, checks of flags, the reports that go to the files which flags such as
// --html name, runs of scenarios, and errors with an exit code. [CodeOf] is the only place where a
// verdict becomes an exit code. The package doesn't know what a single command does.
package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/term"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A Console holds the command line and the standard streams of a command.
type Console struct {
	Program  string   // the name of the program in commands that users may repeat
	Args     []string // the command line, without the name of the program
	In       io.Reader
	Out, Err io.Writer

	Client *runner.NamedClient // drives the devices; nil: the client of package delivery
}

// CommandLine returns the command line as a user may type it again.
func (c Console) CommandLine() string {
	return shell.Join(append([]string{cmp.Or(c.Program, "fleetmark")}, c.Args...)...)
}

// PrintJSON writes v to standard output as indented JSON.
func (c Console) PrintJSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// UntilClosed writes to a file until its reader closes it, as in `fleetmark run | head -1`. It
// drops later writes without an error, since the outcome of a command doesn't depend on who reads
// its output. The file isn't embedded: other methods that write would be promoted, and fail.
type UntilClosed struct{ File *os.File }

// Write writes p, or drops it if the file has no reader.
func (w UntilClosed) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		return len(p), nil
	}
	return n, err
}

// FleetCommand returns the program and arguments that start this program as a fleet, which takes
// its orders on standard input.
func FleetCommand() ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{program, "fleet", "--driven"}, nil
}

// NoopClient is the name of the command as which this program is a client.command that does
// nothing.
const NoopClient = "noop-client"

// fileOf returns the file that w writes to, or nil if w isn't a file.
func fileOf(w io.Writer) *os.File {
	switch w := w.(type) {
	case *os.File:
		return w
	case UntilClosed:
		return w.File
	}
	return nil
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// IsDumb reports whether the terminal understands no control sequences, and therefore has neither
// colors nor lines that can be overwritten.
func IsDumb() bool { return os.Getenv("TERM") == "dumb" }

// CanRedraw reports whether w is a terminal on which lines can be overwritten.
func CanRedraw(w io.Writer) bool { return IsTerminal(w) && !IsDumb() }

// Width returns how wide tables on w may be: the value of COLUMNS, or else the terminal's width. It
// returns 0, which means no limit, if neither is known. As other commands do, it ignores a COLUMNS
// that isn't a positive number.
func Width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if !IsTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(fileOf(w).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// TableStyle returns the style of tables that are written to w: the width of the terminal, and
// colors unless NO_COLOR is set (https://no-color.org).
func TableStyle(w io.Writer) texttable.Style {
	return texttable.Style{Color: CanRedraw(w) && os.Getenv("NO_COLOR") == "", Width: Width(w)}
}

// The exit codes, a contract with scripts.
const (
	ExitPass         = 0
	ExitRegressed    = 1
	ExitUsage        = 2 // bad usage or input: nothing was judged
	ExitInconclusive = 3
	ExitInvalid      = 4
	ExitInterrupted  = 130
)

// An ExitError ends the command with the exit code of a verdict, or with a code of its own. Its
// Text is empty if the command has printed everything already.
type ExitError struct {
	Verdict results.Verdict // what was judged, if Code is 0
	Code    int
	Text    string
}

// Error returns the text.
func (e *ExitError) Error() string { return e.Text }

// VerdictError returns the error of a command that judged. It returns nil for a verdict that
// passes, and for no verdict: where a policy requires one, package judge has made it inconclusive.
func VerdictError(v results.Verdict, text string) error {
	if e := (&ExitError{Verdict: v, Text: text}); CodeOf(e) != ExitPass {
		return e
	}
	return nil
}

// Usagef returns an error about the command line, which exits 2.
func Usagef(format string, args ...any) error {
	return &ExitError{Code: ExitUsage, Text: fmt.Sprintf(format, args...)}
}

// CodeOf returns the exit code of an error: the code of an [*ExitError] or of its verdict, or else
// 2, since any other error kept the command from judging anything. The code of a nil error is 0.
func CodeOf(err error) int {
	if err == nil {
		return ExitPass
	}
	e, ok := errors.AsType[*ExitError](err)
	switch {
	case !ok:
		return ExitUsage
	case e.Code != 0:
		return e.Code
	}
	switch e.Verdict {
	case results.Regressed:
		return ExitRegressed
	case results.Inconclusive:
		return ExitInconclusive
	case results.Invalid:
		return ExitInvalid
	}
	return ExitPass
}

// Batch returns the options for running scenarios with this program on this machine. out is the
// directory for run directories, and view returns the view of the next scenario.
func (c Console) Batch(ctx context.Context, out string, view func() batch.View) (o batch.Options, err error) {
	o = batch.Options{Out: out, Revision: project.Revision(ctx), Stderr: c.Err, View: view, Client: c.Client}
	if o.Machine, err = results.ThisMachine(ctx); err != nil {
		return o, err
	}
	if o.FleetCommand, err = FleetCommand(); err != nil {
		return o, err
	}
	o.NoopClient = []string{o.FleetCommand[0], NoopClient}
	return o, nil
}

// RunBatch runs scenarios, as [batch.Run] does. Its error has the exit code; see [EndError].
func RunBatch(
	ctx context.Context, o batch.Options, list []runner.Options, consequence string,
) ([]*batch.Result, error) {
	done, err := batch.Run(ctx, o, list)
	if n := len(done); n > 0 {
		err = cmp.Or(EndError(done[n-1], consequence), err)
	}
	return done, err
}

// EndError returns the error of a command whose run r was interrupted or failed. It returns nil if
// r finished, whatever its verdict. If consequence is empty, the command has printed the outcome of
// the run. Otherwise the error names the run's directory and, after an interruption, the
// consequence for the command.
func EndError(r *batch.Result, consequence string) error {
	err := r.Err
	switch {
	case r.Interrupted():
		interrupted := &ExitError{Code: ExitInterrupted}
		if consequence != "" {
			interrupted.Text = fmt.Sprintf("interrupted: %s; what was measured is in %s", consequence, r.Directory)
		}
		return errors.Join(interrupted, err)
	case err == nil:
		return nil
	case consequence != "":
		err = fmt.Errorf("%s: %w", r.Directory, err)
	}
	if len(r.Run.Invalid) > 0 {
		err = errors.Join(&ExitError{Verdict: results.Invalid}, err)
	}
	return err
}

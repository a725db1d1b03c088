package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/batch"
)

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
	o = batch.Options{Out: out, Revision: project.Revision(ctx), Stderr: c.Err, View: view}
	if o.Machine, err = results.ThisMachine(ctx); err != nil {
		return o, err
	}
	o.FleetCommand, err = FleetCommand()
	return o, err
}

// RunBatch runs scenarios, as [batch.Run] does. Its error has the exit code; see [EndError].
func RunBatch(
	ctx context.Context, o batch.Options, list []scenarios.Options, consequence string,
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

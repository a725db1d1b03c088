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

// Exit codes, a contract with scripts.
const (
	ExitPass         = 0
	ExitRegressed    = 1
	ExitUsage        = 2 // bad usage or input: nothing was judged
	ExitInconclusive = 3
	ExitInvalid      = 4
	ExitInterrupted  = 130
)

// ExitError ends the command with the exit code of a verdict, or with a code of its own. An empty
// text means that the command has already printed what there is to say.
type ExitError struct {
	Verdict results.Verdict // what was judged, if Code is 0
	Code    int
	Text    string
}

// Error returns the text.
func (e *ExitError) Error() string { return e.Text }

// VerdictError returns the error of a command that judged: nil for a verdict that passes, or for
// none. If one was required, judging has made a run without one inconclusive.
func VerdictError(v results.Verdict, text string) error {
	if e := (&ExitError{Verdict: v, Text: text}); CodeOf(e) != ExitPass {
		return e
	}
	return nil
}

// Usagef returns the error of a command line that can't be obeyed, which exits 2.
func Usagef(format string, args ...any) error {
	return &ExitError{Code: ExitUsage, Text: fmt.Sprintf(format, args...)}
}

// CodeOf returns the exit code of an error. Only an ExitError says that a run is invalid, or that
// something was judged otherwise; every other error kept the command from judging anything.
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

// Batch returns the options of scenarios that a command runs with this program on this machine. out
// is the directory for run directories, and view returns what shows the next scenario.
func (c Console) Batch(ctx context.Context, out string, view func() batch.View) (o batch.Options, err error) {
	o = batch.Options{Out: out, Revision: project.Revision(ctx), Stderr: c.Err, View: view}
	if o.Machine, err = results.ThisMachine(ctx); err != nil {
		return o, err
	}
	o.FleetCommand, err = FleetCommand()
	return o, err
}

// RunBatch runs scenarios, as [batch.Run] does. Its error carries the exit code; see [EndError].
func RunBatch(
	ctx context.Context, o batch.Options, list []scenarios.Options, consequence string,
) ([]*batch.Result, error) {
	done, err := batch.Run(ctx, o, list)
	if n := len(done); n > 0 {
		err = cmp.Or(EndError(done[n-1], consequence), err)
	}
	return done, err
}

// EndError returns the error of a command that runs scenarios, of which r was interrupted or
// failed. It returns nil if r came to its end, whatever its verdict. If consequence is empty, the
// command has printed what became of the run. Otherwise the error names the run's directory, and
// says what an interruption means for the command.
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

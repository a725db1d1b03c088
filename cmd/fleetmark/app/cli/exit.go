package cli

import (
	"errors"
	"fmt"

	"github.com/fleetmark/fleetmark/results"
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

// ExitError ends the command with an exit code. An empty text means that the command has already
// printed what there is to say.
type ExitError struct {
	Code int
	Text string
}

// Error returns the text.
func (e *ExitError) Error() string { return e.Text }

// Usagef returns the error of a command line that can't be obeyed, which exits 2.
func Usagef(format string, args ...any) error {
	return &ExitError{ExitUsage, fmt.Sprintf(format, args...)}
}

// CodeOf returns the exit code of an error. Only an ExitError says that a run is invalid, or that
// something was judged otherwise; every other error kept the command from judging anything.
func CodeOf(err error) int {
	if err == nil {
		return ExitPass
	}
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Code
	}
	return ExitUsage
}

// CodeOfVerdict returns the exit code of a verdict. A run without one passes: if one was required, judging the run
// has made it inconclusive.
func CodeOfVerdict(v results.Verdict) int {
	switch v {
	case results.Regressed:
		return ExitRegressed
	case results.Inconclusive:
		return ExitInconclusive
	case results.Invalid:
		return ExitInvalid
	}
	return ExitPass
}

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

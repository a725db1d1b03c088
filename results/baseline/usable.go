package baseline

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/results"
)

// CheckUsable returns an [*results.InputError] if the run at path can't be what later runs are compared with: it
// is invalid, or it didn't end.
func CheckUsable(path string, run results.Run) error {
	switch {
	case !run.Valid:
		return Unusable(path, "the run is invalid: "+strings.Join(run.Invalid, "; "))
	case run.Status != results.StatusFinished:
		return Unusable(path, fmt.Sprintf("the run is %s", run.Status))
	}
	return nil
}

// Unusable returns the error about a run that later runs can't be compared with.
func Unusable(path, problem string) error {
	return &results.InputError{Path: path, Problem: problem, Want: "a baseline wants a whole, valid run of the same machine"}
}

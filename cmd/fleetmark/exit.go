package main

import (
	"errors"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// Exit codes, a contract with scripts.
const (
	exitPass         = 0
	exitRegressed    = 1
	exitUsage        = 2 // bad usage or input: nothing was judged
	exitInconclusive = 3
	exitInvalid      = 4
	exitInterrupted  = 130
)

// exitError ends the command with a code; an empty text has been said already.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// codeOf turns an error into an exit code. What no room foresaw is a failure to
// judge: invalid.
func codeOf(err error) int {
	if err == nil {
		return exitPass
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if isUsage(err) {
		return exitUsage
	}
	return exitInvalid
}

func isUsage(err error) bool {
	if _, ok := errors.AsType[*scenarios.SpecError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*scenarios.UsageError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*results.InputError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*checkout.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*mockfleet.ConfigError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*project.ConfigError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*gobench.TestError](err); ok {
		return true
	}
	_, ok := errors.AsType[*profiles.FileError](err)
	return ok
}

// codeOfVerdict is a run's exit code. demanded: a judgement was asked for, so that
// having none is no pass.
func codeOfVerdict(v results.Verdict, demanded bool) int {
	switch v {
	case results.Regressed:
		return exitRegressed
	case results.Inconclusive:
		return exitInconclusive
	case results.Invalid:
		return exitInvalid
	case results.Pass, results.Improved:
		return exitPass
	default:
		if demanded {
			return exitInconclusive
		}
		return exitPass
	}
}

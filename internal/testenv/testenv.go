// Package testenv decides which tests run on this machine.
//
// By default a test that takes many seconds is skipped, and so is one that needs a program or
// rights that the machine doesn't have. If the environment variable FLEETMARK_TEST_EVERYTHING is
// set to any value, slow tests run, and whatever is missing is a failure. .ci/run sets it.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// Variable is the name of the environment variable.
const Variable = "FLEETMARK_TEST_EVERYTHING"

// Everything reports whether every test is to run.
func Everything() bool { return os.Getenv(Variable) != "" }

// LongVariable names the environment variable that makes tests which repeat something with other
// seeds, or with more agents, do so as often as they were once seen to pass. That takes half an hour,
// too long for CI, which does the same fewer times.
const LongVariable = "FLEETMARK_TEST_LONG"

// Long reports whether tests repeat what they do that often.
func Long() bool { return os.Getenv(LongVariable) != "" }

// Slow skips a test that takes many seconds, unless every test is to run.
func Slow(t testing.TB) {
	t.Helper()
	if !Everything() {
		t.Skip("slow; it runs with " + Variable + "=1")
	}
}

// SlowRaced skips a test of one goroutine that takes many seconds under the race detector, which
// would find nothing in it.
func SlowRaced(t testing.TB) {
	t.Helper()
	if Raced {
		t.Skip("slow under the race detector, and of one goroutine")
	}
}

// Program returns the path of a program that is installed: the first of several names or paths that
// exists. It skips the test if there is none.
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, names[0]+" is not installed")
	return ""
}

// Root skips a test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "it needs root")
	}
}

// Missing skips a test that lacks what it needs. It fails the test if every test is to run.
func Missing(t testing.TB, what string) {
	t.Helper()
	if Everything() {
		t.Fatal(what + ", and " + Variable + " is set")
	}
	t.Skip(what + "; with " + Variable + "=1 this fails")
}

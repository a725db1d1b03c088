package scenarios

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asFleet makes this test's program the fleet's process.
const asFleet = "FLEETMARK_TEST_FLEET"

func TestMain(m *testing.M) {
	if os.Getenv(asFleet) != "" {
		if err := ServeFleet(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fleetCommand starts this test's program as the fleet.
func fleetCommand(t *testing.T) []string {
	t.Helper()
	return []string{"/usr/bin/env", asFleet + "=1", os.Args[0]}
}

// atStep does something when a repetition begins.
type atStep struct {
	noWatcher
	kind   Kind
	number int
	do     func()
	end    func() // when it ends, if not nil
}

func (a *atStep) Begin(s Step) {
	if s.Kind == a.kind && s.Number == a.number {
		a.do()
	}
}

func (a *atStep) End(s Step, _ Live) {
	if s.Kind == a.kind && s.Number == a.number && a.end != nil {
		a.end()
	}
}

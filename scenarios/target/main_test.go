package target

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/scenarios"
)

// asFleet names the environment variable that makes this test's program act as the fleet's process.
const asFleet = "FLEETMARK_TEST_FLEET"

func TestMain(m *testing.M) {
	if os.Getenv(asFleet) != "" {
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fleetCommand returns a command that starts this test's program as the fleet.
func fleetCommand() []string { return []string{"/usr/bin/env", asFleet + "=1", os.Args[0]} }

// small returns a scenario of a few devices.
func small() scenarios.Spec {
	s := scenarios.Default()
	s.Name, s.Fleet.Devices = "small", 40
	return s
}

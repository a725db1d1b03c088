package versus

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/scenarios"
)

// TestMain makes this test's program the fleet's process and the driver's as well.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "fleet":
		err = scenarios.ServeFleet(context.Background(), os.Stdin, os.Stdout)
	case len(os.Args) > 1 && os.Args[1] == "drive":
		err = Serve(context.Background(), os.Stdin, os.Stdout)
	default:
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

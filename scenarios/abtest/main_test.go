package abtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// TestMain lets this test's program act as the fleet's process and as a driver.
func TestMain(m *testing.M) {
	var err error
	in := io.Reader(os.Stdin)
	if how := os.Getenv(failAfter); how != "" {
		in = &failingDriver{in: os.Stdin, how: how}
	}
	switch {
	case len(os.Args) > 1 && os.Args[1] == "fleet":
		err = target.Serve(context.Background(), os.Stdin, os.Stdout)
	case len(os.Args) > 2 && os.Args[1] == asPush:
		err = servePushes(os.Stdin, os.Stdout, os.Args[2], len(os.Args) > 3)
	case len(os.Args) > 1 && os.Args[1] == "drive" && os.Getenv(pretendedCost) != "":
		err = pretend(in, os.Stdout, os.Getenv(pretendedCost))
	case len(os.Args) > 1 && os.Args[1] == "drive":
		err = Serve(context.Background(), in, os.Stdout, nil)
	default:
		// A process that the race detector watches otherwise waits a second before it exits.
		if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
			panic(err)
		}
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// failAfter names the environment variable that makes a driver fail after it has measured a few
// blocks. Its value says how.
const failAfter = "ABTEST_TEST_FAIL"

// failingDriver passes requests on until the time has come to fail.
type failingDriver struct {
	in    io.Reader
	how   string
	reads int
}

func (f *failingDriver) Read(p []byte) (int, error) {
	if f.reads++; f.reads > 5 {
		f.fail()
	}
	return f.in.Read(p)
}

func (f *failingDriver) fail() {
	switch f.how {
	case "hang":
		time.Sleep(time.Hour)
	case "panic":
		panic("a client's own")
	case "exit":
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(3)
	}
}

// pretendedCost names the environment variable that makes a driver measure nothing, and report that
// a push takes so many nanoseconds, varied by a thousandth.
const pretendedCost = "ABTEST_TEST_COST"

func pretend(in io.Reader, out io.Writer, cost string) error {
	nanoseconds, err := strconv.ParseFloat(cost, 64)
	if err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	dice := rand.New(rand.NewPCG(1, uint64(nanoseconds)))
	for {
		var line struct{ Measure bool }
		if decoder.Decode(&line) != nil {
			return nil // the gate has closed the pipe, since it is done
		}
		a := response{Protocol: protocol}
		if line.Measure {
			noise := 1 + 0.002*(dice.Float64()-0.5)
			a.Records = []results.Record{{Scenario: "gate-push", Op: "push", Repetition: 1, Ops: 1, Values: []results.Value{
				{Unit: "cpu-ns/op", Value: nanoseconds * noise}, {Unit: "requests/device", Value: 1},
			}}}
		}
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
}

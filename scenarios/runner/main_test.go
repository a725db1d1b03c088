package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	_ "net/http/pprof" // for asNoop
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// asFleet names the environment variable that makes this test's program act as the fleet's process.
const asFleet = "FLEETMARK_TEST_FLEET"

// asNoop names the environment variable that makes it a client.command that does nothing, and that
// serves its profiles at the address in its argument, if it has one.
const asNoop = "FLEETMARK_TEST_NOOP_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(asNoop) != "" {
		if len(os.Args) > 1 {
			go func() { _ = http.ListenAndServe(os.Args[1], http.DefaultServeMux) }() // ends with the process
		}
		if err := process.ServeNoop(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asFleet) != "" {
		if err := target.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// A process that the race detector watches otherwise waits a second before it exits.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// fleetCommand returns a command that starts this test's program as the fleet.
func fleetCommand(t *testing.T) []string {
	t.Helper()
	return []string{"/usr/bin/env", asFleet + "=1", os.Args[0]}
}

// Run runs a scenario, and judges it without a baseline.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	running, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	res, err := running.Measure(ctx)
	return res, errors.Join(err, running.Finish(verdict(res.Run, res.Records)))
}

func verdict(run results.Run, records []results.Record) results.Verdict {
	return judge.Judge(nil, run, records, judge.Policy{}).Verdict
}

// finish ends a run as Run does after the repetitions.
func finish(ctx context.Context, r *runner, runErr error) error {
	err := r.end(ctx, runErr)
	return errors.Join(err, r.finish(verdict(r.run, r.records)))
}

// atRepetition is an observer that calls a function when a repetition begins.
type atRepetition struct {
	discard
	phase  Phase
	number int
	do     func()
	end    func() // called when the repetition ends; may be nil
}

func (a *atRepetition) Begin(s Repetition) {
	if s.Phase == a.phase && s.Number == a.number {
		a.do()
	}
}

func (a *atRepetition) End(s Repetition, _ Progress) {
	if s.Phase == a.phase && s.Number == a.number && a.end != nil {
		a.end()
	}
}

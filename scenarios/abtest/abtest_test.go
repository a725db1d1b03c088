package abtest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// options returns options whose two sides are the same program, that of this test.
func options(t *testing.T, names ...string) Options {
	t.Helper()
	o := Options{Builds: Builds{Base: Side{Program: os.Args[0]}, Now: Side{Program: os.Args[0]}}, FleetCommand: []string{os.Args[0], "fleet"},
		Budget: time.Nanosecond}
	for _, name := range names {
		s, err := scenarios.Find(name)
		require.NoError(t, err)
		o.Specs = append(o.Specs, s)
	}
	return o
}

// row returns a row of a judgment.
func row(t *testing.T, j *judge.Judgement, scenario, op, unit string) judge.Row {
	t.Helper()
	for _, r := range j.Rows {
		if r.Scenario == scenario && r.Op == op && r.Unit.Name == unit {
			return r
		}
	}
	require.Fail(t, "no row", "%s %s %s in %+v", scenario, op, unit, j.Rows)
	return judge.Row{}
}

// TestOnePair checks that a single pair is enough to judge what the seed determines, but not times.
func TestOnePair(t *testing.T) {
	o := options(t, "gate-push", "gate-verify", "gate-deliver")
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Inconclusive, out.Judgement.Verdict, report.Sentence(out.Judgement))
	for scenario, op := range map[string]string{"gate-push": "push", "gate-verify": "verify", "gate-deliver": "deliver"} {
		for _, unit := range []string{"requests/device", "retries/device", "failed/device", "wire-B/device"} {
			require.Equal(t, results.Pass, row(t, out.Judgement, scenario, op, unit).Verdict, "%s %s", scenario, unit)
		}
		require.Equal(t, results.Inconclusive, row(t, out.Judgement, scenario, op, "ns/op").Verdict)
	}
	require.Len(t, out.Base, len(out.Now))
	require.Equal(t, 2*out.Pairs, out.Base[len(out.Base)-1].Repetition)
}

// TestARequestMoreIsFoundAtOnce checks that a single pair finds one more request for each push, in each
// scenario that pushes.
func TestARequestMoreIsFoundAtOnce(t *testing.T) {
	o := options(t, "gate-push", "gate-deliver")
	o.Injection = Injection{Requests: 1}
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict, report.Sentence(out.Judgement))
	require.Equal(t, 1, out.Pairs)
	require.Equal(t, results.Regressed, row(t, out.Judgement, "gate-push", "push", "requests/device").Verdict)
	require.Equal(t, results.Regressed, row(t, out.Judgement, "gate-deliver", "deliver", "requests/device").Verdict)
}

// TestAnAllocationMoreIsFound checks that one more allocation for each push is found at the first look
// at the samples, since allocations have no noise.
func TestAnAllocationMoreIsFound(t *testing.T) {
	o := options(t, "gate-push")
	o.Injection, o.Budget = Injection{Allocations: 1}, time.Minute
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	r := row(t, out.Judgement, "gate-push", "push", "allocs/op")
	require.Equal(t, results.Regressed, r.Verdict, "%+v", out.Judgement)
	// Under the race detector sync.Pool drops a quarter of what it is given, at random, so that a
	// push allocates 4.9 objects instead of 0.4 and the difference moves by half an object.
	if !testenv.Raced {
		require.InDelta(t, 1, r.Now.Median-r.Base.Median, 0.2)
	}
}

// TestSlower injects a share of a push's processor time.
func TestSlower(t *testing.T) {
	o := options(t, "gate-push")
	o.SlowerBy = 0.5
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Positive(t, out.Injected.Processor)

	o = options(t, "gate-verify")
	o.SlowerBy = 0.5
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "no scenario of pushes alone")
}

func TestRunIsBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, "gate-push")
	o.Budget = time.Hour
	o.Progress = func(Progress) { cancel() }
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}

// TestOthersAreRefused checks programs that aren't drivers, and drivers with another protocol.
func TestOthersAreRefused(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "driver")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
		return path
	}
	for name, row := range map[string]struct{ program, want string }{
		"not there": {filepath.Join(t.TempDir(), "none"), "the driver of base can't be started"},
		"another protocol": {script(`read order; echo '{"protocol":7}'; read more`),
			"the driver of base speaks protocol 7, not 3"},
		"no driver": {script(`echo 'unknown command "drive"' >&2; exit 2`),
			`the driver of base ended: unknown command "drive"`},
		"wordless": {script("exit 3"), "the driver of base can't begin: the driver of base ended: exit status 3"},
		"no JSON":  {script("read order; echo hello"), "the driver of base ended"},
		"refuses": {script(`read order; echo '{"protocol":1,"error":"no such field"}'; read more`),
			"the driver of base can't begin: no such field"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "gate-push")
			o.Builds.Base.Program = row.program
			_, err := Run(t.Context(), o)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestServeRefuses(t *testing.T) {
	spec, err := json.Marshal(map[string]any{"name": "x", "new_field": 1})
	require.NoError(t, err)
	unknown, err := json.Marshal(hello{Protocol: protocol, Work: []assignment{{Spec: spec}}})
	require.NoError(t, err)
	for in, want := range map[string]string{
		"":                "standard input holds no order",
		"hello":           "standard input holds no order",
		`{"protocol": 9}`: "", // the gate reports that, by the driver's answer
		string(unknown):   `unknown field "new_field"`,
	} {
		var out strings.Builder
		err := Serve(t.Context(), strings.NewReader(in), &out, nil)
		if want == "" {
			require.NoError(t, err)
			require.Contains(t, out.String(), `"error":"it speaks protocol 3, not 9"`)
			continue
		}
		require.ErrorContains(t, err, want, in)
	}
}

// TestADriverThatFails checks that a driver which hangs is ended, and that one which panics is
// named, with its goroutines. If it is the working tree's driver, that is as bad as a regression.
func TestADriverThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		side, how string
		want      results.Verdict
		text      string
	}{
		"now hangs":    {checkout.Now, "hang", results.Regressed, "the driver of now didn't answer for 3s"},
		"base hangs":   {checkout.Base, "hang", results.Inconclusive, "the driver of base didn't answer for 3s"},
		"now panics":   {checkout.Now, "panic", results.Regressed, "the driver of now ended: panic: a client's own"},
		"base panics":  {checkout.Base, "panic", results.Inconclusive, "the driver of base ended: panic: a client's own"},
		"now is ended": {checkout.Now, "exit", results.Regressed, "the driver of now ended: the last words"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "gate-push")
			o.Budget, o.Limit = time.Hour, 3*time.Second
			program := filepath.Join(t.TempDir(), "driver")
			require.NoError(t, os.WriteFile(program,
				[]byte("#!/bin/sh\n"+failAfter+"="+c.how+" exec '"+os.Args[0]+"' \"$@\"\n"), 0o700))
			if c.side == checkout.Now {
				o.Builds.Now.Program = program
			} else {
				o.Builds.Base.Program = program
			}
			out, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, c.want, out.Judgement.Verdict)
			require.Contains(t, report.Sentence(out.Judgement), c.text)
			require.NotNil(t, out.Failed)
			require.Equal(t, c.side, out.Failed.Side)
			if c.how != "exit" {
				require.Contains(t, out.Failed.Stacks, "goroutine ")
				require.Contains(t, out.Failed.Stacks, "failingDriver")
			}
		})
	}
}

// TestBlockLimit checks that a block may take half a minute, or ten times as long as the base's
// longest block if that is more, and that the first block may take as long as the comparison.
func TestBlockLimit(t *testing.T) {
	for _, c := range []struct{ longest, budget, want time.Duration }{
		{40 * time.Millisecond, 100 * time.Second, 30 * time.Second},
		{3 * time.Second, 100 * time.Second, 30 * time.Second},
		{3001 * time.Millisecond, 100 * time.Second, 30010 * time.Millisecond},
		{time.Minute, time.Second, 10 * time.Minute},
		{0, time.Second, 30 * time.Second},
		{0, 100 * time.Second, 100 * time.Second},
	} {
		require.Equal(t, c.want, blockLimit(c.longest, c.budget), "the longest took %v, of a budget of %v", c.longest,
			c.budget)
	}
}

// TestTooManyDropped checks that a few disturbed pairs don't spoil a comparison. One that kept none at
// all goes on, as TestDecide_dropped checks.
func TestTooManyDropped(t *testing.T) {
	for _, c := range []struct {
		dropped, kept int
		want          bool
	}{
		{0, 0, false}, {0, 9, false}, {1, 0, false}, {5, 0, false}, {6, 0, true},
		{1, 1, false}, {5, 1, false}, {6, 17, true}, {6, 18, false}, {25, 75, false}, {26, 74, true},
	} {
		require.Equal(t, c.want, tooManyDropped(c.dropped, c.kept), "%+v", c)
	}
}

// TestDecide_dropped checks that a comparison whose pairs were all dropped goes on beyond its budget
// until one counts, or too many were dropped.
func TestDecide_dropped(t *testing.T) {
	for dropped, want := range map[int]int{0: 1, 3: 4, minDropped + 1: minDropped + 1} {
		c := &comparison{test: sequential.New(sequential.Options{}), outcome: &Outcome{}}
		calls := 0
		_, invalid, err := c.decide(c.test, time.Nanosecond, func() ([]judge.Reason, error) {
			switch calls++; {
			case calls > minDropped:
				return []judge.Reason{{Code: judge.PairsDropped}}, nil
			case calls <= dropped:
				return nil, nil
			}
			block := [][]results.Record{{{
				Scenario: "s", Op: "push", Ops: 1, Repetition: 1, Values: []results.Value{{Unit: results.UnitRequests, Value: 1}},
			}}}
			return nil, c.test.Add(block, block)
		})
		require.NoError(t, err)
		require.Equal(t, want, calls)
		require.Equal(t, dropped > minDropped, len(invalid) > 0)
	}
}

func TestWilson(t *testing.T) {
	for _, row := range []struct {
		k, n      int
		low, high float64
	}{
		// As tabulated for the score interval at 95%.
		{0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {1, 40, 0.0044, 0.1288}, {19, 20, 0.7639, 0.9911}, {5, 10, 0.2366, 0.7634},
	} {
		rate, low, high := wilson(row.k, row.n)
		require.InDelta(t, float64(row.k)/float64(row.n), rate, 1e-12)
		require.InDelta(t, row.low, low, 1e-4)
		require.InDelta(t, row.high, high, 1e-4)
	}
	_, low, high := wilson(0, 0)
	require.Equal(t, []float64{0, 1}, []float64{low, high})
}

// TestSelfTest checks that each case is run as often as it says, and that cases take turns.
func TestSelfTest(t *testing.T) {
	var order []string
	o := options(t, "gate-push")
	tried, err := SelfTest(t.Context(), o,
		[]Case{{Name: "nothing", Runs: 3}, {Name: "a request", Injection: Injection{Requests: 1}, Runs: 2}},
		func(c Case, _ *Outcome) { order = append(order, c.Name) })
	require.NoError(t, err)
	require.Equal(t, map[results.Verdict]int{results.Inconclusive: 3}, tried[0].Verdicts)
	require.Equal(t, map[results.Verdict]int{results.Regressed: 2}, tried[1].Verdicts)
	require.Len(t, tried[0].Seconds, 3)
	require.ElementsMatch(t, []string{"nothing", "nothing", "nothing", "a request", "a request"}, order)
	require.NotEqual(t, []string{"nothing", "nothing", "nothing", "a request", "a request"}, order)
	require.False(t, tried[0].Worse())
	require.True(t, tried[1].Worse())
}

package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestCheckOutcome(t *testing.T) {
	for name, row := range map[string]struct {
		o    Outcome
		want []string
	}{
		"all well": {Outcome{Operations: results.Operations{Started: 3, Succeeded: 3},
			Overflows: []Overflow{{"push", 0, time.Second}}}, nil},
		"some fail": {Outcome{Operations: results.Operations{Started: 3, Succeeded: 1, Failed: 2},
			FailureClasses: "2 permanent"}, nil},
		"all fail": {Outcome{Operations: results.Operations{Started: 2, Failed: 2}, FailureClasses: "2 permanent"},
			[]string{"no operation succeeded: 2 started, 0 succeeded, 2 failed, by class 2 permanent"}},
		"some not sent": {Outcome{Operations: results.Operations{Planned: 6, Started: 5, Failed: 5, NotSent: 1},
			FailureClasses: "5 refused"},
			[]string{"no operation succeeded: 6 planned, 5 started, 0 succeeded, 5 failed, 1 not sent, by class 5 refused"}},
		"none came to an end":    {Outcome{}, []string{"no operation succeeded: 0 started, 0 succeeded, 0 failed"}},
		"a rollout that stopped": {Outcome{Operations: results.Operations{Started: 2, Failed: 2}, RolloutStopped: true}, nil},
		"broken off": {Outcome{Operations: results.Operations{Started: 1002, Succeeded: 1000, BrokenOff: 2},
			Drain: 30 * time.Second},
			[]string{"2 of 1,002 operations were still under way 30s after the plan's end and were broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client"}},
		"one broken off": {Outcome{Operations: results.Operations{Started: 2, Succeeded: 1, BrokenOff: 1},
			Drain: time.Second},
			[]string{"1 of 2 operations was still under way 1s after the plan's end and was broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client"}},
		"longer than is recorded": {Outcome{Operations: results.Operations{Started: 9, Succeeded: 9},
			Overflows: []Overflow{{"push", 4, time.Minute}, {"verify", 0, time.Minute}}},
			[]string{"4 latencies of push were over 1m0s, more than is recorded"}},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			for _, f := range CheckOutcome(row.o) {
				said = append(said, f.String())
			}
			require.Equal(t, row.want, said)
		})
	}
}

// TestFinding_String checks which words each kind has before its detail.
func TestFinding_String(t *testing.T) {
	for kind, want := range map[Kind]string{
		Contradiction: "the fleet's ledger contradicts the client: x", FleetSaturated: "the fleet was the bottleneck: x",
		HarnessSaturated: "the harness was the bottleneck: x", BehindSchedule: "behind schedule: x",
		NothingSucceeded: "no operation succeeded: x",
		Leak:             "a leak: x", NoLimit: "the search has no lower end: x", BrokenOff: "x", LatencyOverflow: "x",
		FleetReset: "x", LimitElsewhere: "x", LimitUncertain: "x", TargetLost: "x", RunFailed: "x",
	} {
		require.Equal(t, want, Finding{kind, "x"}.String())
	}
}

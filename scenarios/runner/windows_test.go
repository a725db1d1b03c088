package runner

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// threshold parses a threshold.
func threshold(t testing.TB, text string) scenarios.Threshold {
	t.Helper()
	var parsed scenarios.Threshold
	require.NoError(t, parsed.UnmarshalText([]byte(text)))
	return parsed
}

// stalling stops pushing from one operation on until another is due, as the plan says.
type stalling struct {
	load.Client
	n        *atomic.Int64
	from, to int64
	over     chan struct{}
}

func (c stalling) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	switch n := c.n.Add(1) - 1; {
	case n == c.to:
		close(c.over)
	case n >= c.from && n < c.to:
		<-c.over
	}
	return c.Client.Push(ctx, d, u)
}

// TestWindows_stall checks that a stall fails exactly the windows that it is in, and the one in which
// what was due meanwhile is answered.
func TestWindows_stall(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load = scenarios.LoadSpec{
		Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 100, Duration: scenarios.Duration(3 * time.Second),
	}
	s.Thresholds = []scenarios.Threshold{
		threshold(t, "p99-ns/op < 400ms in every 500ms"), threshold(t, "ops/s > 10/s in every 500ms for 2 windows"),
		threshold(t, "failed/device == 0 in every 1s"), threshold(t, "max-ns/op < 1m"),
	}
	o := options(t, s)
	o.wrap = func(c load.Client) load.Client { // from 0.8 s to 2 s, on the grounds that the plan is kept
		return stalling{c, new(atomic.Int64), 80, 200, make(chan struct{})}
	}
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, res.Run.Valid, res.Run.Invalid)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, res.Run.Thresholds, run.Thresholds)
	require.Equal(t, results.Regressed, run.Verdict)
	var says []string
	for _, o := range run.Thresholds {
		text, _ := o.Result()
		says = append(says, text)
	}
	require.Equal(t, []string{
		"failed in 3 of 6 windows, from 1s to 2.5s of repetition 1; nothing succeeded in 2 of them",
		"failed in 2 of 6 windows, from 1s to 2s of repetition 1", "held", "held",
	}, says)
	require.InDelta(t, 1.2e9, run.Thresholds[0].Value, 0.4e9)
	for _, v := range readTimeline(t, run.Path, rundir.TimelineFile)[0] {
		if n := v.EndNS / 5e8 * 5e8; n > v.StartNS {
			require.Equal(t, n, v.EndNS, "an interval crosses the end of a window")
		}
	}
}

// lastProgress is an observer that keeps the progress at the end of the last repetition.
type lastProgress struct {
	discard
	ended int
	last  Progress
}

func (l *lastProgress) End(_ Repetition, v Progress) { l.ended, l.last = l.ended+1, v }

// TestWindows_runEndsEarly checks that a threshold with abort ends a run of minutes, that the broken
// repetition is kept, and that no further repetition is run.
func TestWindows_runEndsEarly(t *testing.T) {
	s := endless()
	s.Repetitions, s.Profiled = 3, 1
	limit := threshold(t, "ops/s > 9000000/s in every 100ms for 2 windows")
	limit.Abort = true
	s.Thresholds = append(s.Thresholds, limit, threshold(t, "failed/device == 0 in every 100ms"))
	watch := &lastProgress{}
	o := options(t, s)
	o.Observer = watch
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, results.StatusAborted, run.Status)
	require.True(t, run.Valid, run.Invalid)
	require.Equal(t, results.Regressed, run.Verdict)
	require.Zero(t, run.Repetitions)
	require.Equal(t, 1, watch.ended, "no further repetition")
	require.Equal(t, "threshold ops/s > 9000000/s in every 100ms for 2 windows failed: the run ends early (abort: true)",
		watch.last.Failing)
	require.NotNil(t, run.Partial)
	require.Equal(t, 1800.0, run.Partial.PlannedSeconds)
	require.Empty(t, run.Partial.Contradictions)
	require.Positive(t, run.Partial.Succeeded)
	require.NotEmpty(t, readTimeline(t, run.Path, rundir.PartialTimelineFile)[0])
	var says []string
	for _, o := range run.Thresholds {
		text, _ := o.Result()
		says = append(says, text)
	}
	require.Equal(t, []string{
		"inconclusive: the run was ended early",
		"failed in 2 of 2 windows, from 0s to 200ms of repetition 1: the run was ended early (abort: true)",
		"inconclusive: the run was ended early",
	}, says)
}

// TestWindows_runEndsAfterARepetition checks that a threshold that fails in the last window of a
// repetition ends the run after it, and that the repetition counts as a whole one.
func TestWindows_runEndsAfterARepetition(t *testing.T) {
	s := endless()
	s.Repetitions, s.Load.Duration = 2, scenarios.Duration(300*time.Millisecond)
	limit := threshold(t, "ops/s > 9000000/s in every 300ms")
	limit.Abort = true
	s.Thresholds = []scenarios.Threshold{limit}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, results.StatusAborted, res.Run.Status)
	require.Equal(t, 1, res.Run.Repetitions)
	require.Nil(t, res.Run.Partial)
	requireIntervals(t, res.Directory)
	require.Equal(t, results.Regressed, res.Run.Verdict)

	s.Repetitions = 1 // then there is nothing to end
	res, err = Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, results.StatusFinished, res.Run.Status)
	require.Equal(t, results.Regressed, res.Run.Verdict)
}

package runner

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// stalledRun runs an open load of 10 s at 100/s with a threshold in windows of a second, and stops the
// fleet's process for 4 s from its third second on. It returns the run's directory, and between which
// times the process was stopped.
func stalledRun(t *testing.T) (dir string, stopped, continued time.Time) {
	t.Helper()
	s := scenarios.Default()
	s.Name, s.Fleet.Devices = "stalled", 20
	s.Artifact.Size = 1024
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load = scenarios.LoadSpec{
		Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 100, Duration: scenarios.Duration(10 * time.Second),
	}
	require.NoError(t, s.Set("thresholds=[p99-ns/op < 900ms in every 1s]"))
	o := options(t, s)
	command, fleet := tellingItsPID(t)
	o.Target = target.Options{Command: command, Stderr: os.Stderr}
	o.OnInterval = func(_ Repetition, v *load.Interval, _ *delivery.Stats) {
		switch {
		case stopped.IsZero() && v.End >= 3*time.Second:
			stopProcess(t, fleet())
			stopped = time.Now()
		case !stopped.IsZero() && continued.IsZero() && v.End >= 7*time.Second:
			continued = time.Now()
			require.NoError(t, fleet().Signal(syscall.SIGCONT))
		}
	}
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	return res.Directory, stopped, continued
}

// TestStall checks what a run says of devices that stalled for 4 s.
func TestStall(t *testing.T) {
	testenv.Slow(t)
	dir, stopped, continued := stalledRun(t)
	requireIntervals(t, dir)
	t.Run("is found from the files alone", func(t *testing.T) { requireStallInTimeline(t, dir, stopped, continued) })
	t.Run("fails windows exactly there", func(t *testing.T) { requireStallInWindows(t, dir, stopped, continued) })
}

// requireStallInTimeline checks that timeline.jsonl shows when the devices stalled: from when to when
// no operation succeeded although operations were due, how many waited by the end, and the burst that
// followed.
func requireStallInTimeline(t *testing.T, dir string, stopped, continued time.Time) {
	t.Helper()
	intervals := readTimeline(t, dir, rundir.TimelineFile)[0]

	// What a reader would do who has only the file: the longest time in which operations were due
	// and none succeeded.
	var longest, now []timeline.Interval
	for _, v := range intervals {
		if v.Planned > 0 && v.Succeeded == 0 {
			now = append(now, v)
		} else {
			now = nil
		}
		if len(now) > len(longest) {
			longest = now
		}
	}
	require.NotEmpty(t, longest)
	width := longest[0].End() - longest[0].Start()
	require.Equal(t, 200*time.Millisecond, width)
	first, last := longest[0], longest[len(longest)-1]
	began, ended := first.Time, last.Time.Add(width)
	t.Logf("stopped from %v to %v after the load's start; no success from %v to %v; %d waited, then %d succeeded in %v",
		stopped.Sub(intervals[0].Time), continued.Sub(intervals[0].Time), first.Start(), last.End(),
		last.InFlight+last.NotSent, next(intervals, last).Succeeded, width)

	// Intervals that lie within the stop as a whole are all in it, and at most one beyond at either
	// side, since an answer may have been under way. How long a busy machine takes to go on isn't
	// checked.
	require.WithinDuration(t, stopped, began, 2*width)
	require.GreaterOrEqual(t, ended.Sub(began), continued.Sub(stopped)-3*width)
	require.False(t, ended.Before(continued.Add(-2*width)))

	require.InDelta(t, 100*ended.Sub(began).Seconds(), last.InFlight+last.NotSent, 30, "all that were due meanwhile")
	burst := next(intervals, last)
	require.Greater(t, burst.Succeeded, 5*burst.Planned, "the burst")
	push, ok := burst.Of("push")
	require.True(t, ok)
	require.Greater(t, push.Response.MaxNS, int64(3*time.Second), "counted from when operations were due")
}

// requireStallInWindows checks that the threshold failed in the windows in which the devices were
// stopped, and in no others.
func requireStallInWindows(t *testing.T, dir string, stopped, continued time.Time) {
	t.Helper()
	run, err := rundir.Load(dir)
	require.NoError(t, err)
	require.Len(t, run.Thresholds, 1)
	o := run.Thresholds[0]
	require.False(t, o.Held)
	require.NotNil(t, o.Windows)
	require.EqualValues(t, 10, o.Windows.Judged)
	require.Len(t, o.Windows.Breaches, 1)
	began := readTimeline(t, dir, rundir.TimelineFile)[0][0].Time
	first, last := stopped.Sub(began).Truncate(time.Second), continued.Sub(began).Truncate(time.Second)
	breach := o.Windows.Breaches[0]
	t.Logf("stopped from %v to %v, failed from %v to %v", stopped.Sub(began), continued.Sub(began),
		time.Duration(breach.StartNS), time.Duration(breach.EndNS))
	// In the second in which the devices were stopped, operations may have succeeded before.
	require.Contains(t, []time.Duration{first, first + time.Second}, time.Duration(breach.StartNS))
	require.Equal(t, last+time.Second, time.Duration(breach.EndNS))
	require.InDelta(t, 4e9, o.Value, 1e9)
}

// next returns the interval after v.
func next(list []timeline.Interval, v timeline.Interval) timeline.Interval {
	for i := range list {
		if list[i].StartNS == v.EndNS {
			return list[i]
		}
	}
	return timeline.Interval{}
}

package progress

import (
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/stretchr/testify/require"
)

// etaOf returns an eta for one repetition that was given these states.
func etaOf(s runner.Repetition, states ...runner.Progress) *eta {
	var e eta
	s.Scenario, s.Phase, s.Number, s.Total = "small", runner.Timed, max(s.Number, 1), max(s.Total, 1)
	e.begin(s, time.Time{}.Add(time.Hour))
	for _, v := range states {
		e.progress(v)
	}
	return &e
}

// every returns one state per second, each with done more operations than the last.
func every(seconds int, done int64) (states []runner.Progress) {
	for s := range seconds {
		states = append(states, runner.Progress{Done: int64(s+1) * done, Elapsed: time.Duration(s+1) * time.Second})
	}
	return states
}

func TestETA(t *testing.T) {
	const s = time.Second
	// 20 s at 20,000 a second, then 10 s at 10,000: 500,000 after 30 s.
	slower := every(20, 20_000)
	for n := range int64(10) {
		slower = append(slower, runner.Progress{Done: 400_000 + (n+1)*10_000, Elapsed: time.Duration(21+n) * s})
	}
	million, ten := runner.Repetition{Planned: 1_000_000}, runner.Repetition{Planned: 10}
	threeSeconds := runner.Repetition{Duration: 3 * s}
	ended := func(done int64, elapsed time.Duration) []runner.Progress {
		return []runner.Progress{{Done: done, Elapsed: elapsed}}
	}
	for name, row := range map[string]struct {
		rep    runner.Repetition
		states []runner.Progress
		want   string
	}{
		"nothing happened yet":       {million, nil, "0 of 1,000,000"},
		"too early to say":           {million, ended(999, 999*time.Millisecond), "999 of 1,000,000"},
		"the first that can be said": {million, ended(1000, s), "1,000 of 1,000,000  1,000/s  16m39s left"},
		// 688,000 are left, at 14,181.8/s.
		"well under way":           {million, ended(312_000, 22*s), "312,000 of 1,000,000  14,182/s  49s left"},
		"the load has slowed down": {million, slower, "500,000 of 1,000,000  10,000/s  50s left"},
		"the last second":          {million, every(99, 10_000), "990,000 of 1,000,000  10,000/s  1s left"},
		"all done, not yet over":   {million, every(100, 10_000), "1,000,000 of 1,000,000  10,000/s  0s left"},
		// 999,000 are left, at 100/s: 9,990 s.
		"hours":                    {million, every(10, 100), "1,000 of 1,000,000  100/s  2h46m left"},
		"a slow one has a decimal": {ten, ended(3, 2*s), "3 of 10  1.5/s  5s left"},
		"less than one a second":   {ten, ended(1, 65*s), "1 of 10  55.4/h  9m45s left"},
		"nothing moves any more":   {million, append(every(1, 500), ended(500, 11*s)...), "500 of 1,000,000  0.0/s"},
		"it would take years": {
			runner.Repetition{Planned: 1 << 62}, every(10, 1), "10 of 4,611,686,018,427,387,904  1.0/s",
		},
		"failures count as ended": {
			million, []runner.Progress{{Done: 5000, Failed: 5000, Retries: 1234, Elapsed: s}},
			"5,000 of 1,000,000  5,000/s  1m39s left  5,000 failed  1,234 retries",
		},
		"nothing but failures": {
			million, []runner.Progress{{Failed: 1000, Elapsed: s}}, "0 of 1,000,000  0.0/s  16m39s left  1,000 failed",
		},
		"for a time":                 {threeSeconds, ended(80_000, s), "80,000  80,000/s  2s left"},
		"for a time, just begun":     {threeSeconds, nil, "0  3s left"},
		"for a time, and it is over": {threeSeconds, ended(80_000, 4*s), "80,000  20,000/s  0s left"},
		"planned for a time, in time": {
			runner.Repetition{Planned: 1000, Duration: 10 * s}, every(4, 100), "400 of 1,000  100/s  6s left",
		},
		// 50 a second where 100 are planned: 800 are left after 4 s.
		"planned for a time, behind": {
			runner.Repetition{Planned: 1000, Duration: 10 * s}, every(4, 50), "200 of 1,000  50/s  16s left",
		},
		// 3 s are left here; the two repetitions after it take as long as this one, 4 s.
		"the first of three": {
			runner.Repetition{Planned: 4000, Total: 3}, every(1, 1000), "1,000 of 4,000  1,000/s  11s left",
		},
		"of three for a time": {runner.Repetition{Duration: 3 * s, Total: 3}, every(1, 1000), "1,000  1,000/s  8s left"},
	} {
		require.Equal(t, row.want, etaOf(row.rep, row.states...).text(), name)
	}
}

// TestETA_ofRepetitions checks that the repetitions that are over, together with the time between
// them, determine how long the others will take.
func TestETA_ofRepetitions(t *testing.T) {
	const s = time.Second
	var e eta
	at := time.Time{}.Add(time.Hour)
	rep := func(phase runner.Phase, number, of int) runner.Repetition {
		return runner.Repetition{Scenario: "small", Phase: phase, Number: number, Total: of, Planned: 100}
	}
	e.begin(rep(runner.Timed, 1, 4), at)
	require.Equal(t, "0 of 100", e.text())
	e.end(runner.Progress{Done: 100, Elapsed: s / 2})
	require.Equal(t, "100 of 100 operations in 0.5s  200/s  2s left", e.endText(),
		"three more; half a second each is all that is known")

	at = at.Add(2 * s) // half a second's load, and 1.5 s of other things
	e.begin(rep(runner.Timed, 2, 4), at)
	require.Equal(t, "0 of 100  6s left", e.text(), "three repetitions of 2 s")
	e.progress(runner.Progress{Done: 50, Elapsed: 400 * time.Millisecond})
	require.Equal(t, "50 of 100  6s left", e.text(), "5.6 s, rounded up")
	e.end(runner.Progress{Done: 100, Elapsed: s})
	require.Equal(t, "100 of 100 operations in 1.0s  100/s  4s left", e.endText())

	at = at.Add(4 * s)
	e.begin(rep(runner.Timed, 3, 4), at)
	require.Equal(t, "0 of 100  6s left", e.text(), "two repetitions of 3 s, the mean of 2 and 4")
	e.begin(rep(runner.Timed, 4, 4), at.Add(3*s))
	e.end(runner.Progress{Done: 99, Failed: 1, Elapsed: s})
	require.Equal(t, "99 of 100 operations in 1.0s  99/s  1 failed", e.endText(), "no repetition is left")

	e.begin(rep(runner.Timed, 3, 4), at.Add(6*s))
	e.end(runner.Progress{Done: 40, Elapsed: s})
	require.Equal(t, "40 of 100 operations in 1.0s  40/s", e.endText(), "no repetition follows an interrupted one")

	e.begin(rep(runner.Profiled, 1, 2), at.Add(10*s))
	require.Equal(t, "0 of 100", e.text(), "the times of one phase say nothing about another")
}

func TestETA_keepsABoundedNumberOfStates(t *testing.T) {
	e := etaOf(runner.Repetition{Planned: 1 << 30})
	for n := range int64(10_000) { // more often than an observer is called
		e.progress(runner.Progress{Done: n, Elapsed: time.Second + time.Duration(n)*time.Millisecond})
	}
	done, _, ok := e.rates()
	require.True(t, ok)
	require.InDelta(t, 1000, done, 1e-6)
}

// TestETA_allocatesNothing matters because an eta is in the process whose allocations are counted.
func TestETA_allocatesNothing(t *testing.T) {
	e := etaOf(runner.Repetition{Planned: 1000})
	v := runner.Progress{}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		v.Done, v.Elapsed = v.Done+1, v.Elapsed+200*time.Millisecond
		e.progress(v)
	}))
}

package windows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// parsed parses a threshold.
func parsed(t testing.TB, text string) scenarios.Threshold {
	t.Helper()
	var limit scenarios.Threshold
	require.NoError(t, limit.UnmarshalText([]byte(text)))
	return limit
}

// A span is an interval for tests: n operations that took the given times succeeded.
type span struct {
	lasts                     time.Duration // 0: 1 s
	n                         int
	took                      time.Duration // 0: 10 ms
	failed, inFlight, planned int64
	late                      int64
}

// each returns n spans that are alike.
func each(n int, s span) []span {
	list := make([]span, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// spans concatenates lists.
func spans(lists ...[]span) (all []span) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// feed gives spans to w as the intervals of a repetition.
func feed(w *Judge, repetition int, plan time.Duration, list []span) {
	w.Begin(repetition)
	at := time.Duration(0)
	times := load.NewLatencies(true, 100*time.Second)
	for i, s := range list {
		times.Reset()
		for range s.n {
			took := s.took
			if took == 0 {
				took = 10 * time.Millisecond
			}
			times.Add(took, took/2)
		}
		lasts := s.lasts
		if lasts == 0 {
			lasts = time.Second
		}
		w.Add(&load.Interval{
			Start: at, End: at + lasts, Plan: plan, Planned: s.planned, Sent: int64(s.n) + s.failed,
			Succeeded: int64(s.n), SucceededLate: s.late, Failed: s.failed, InFlight: s.inFlight,
			Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}, Last: i == len(list)-1,
		})
		at += lasts
	}
}

// pushes returns the windows of thresholds on an open load of pushes of 1 MB.
func pushes(t testing.TB, thresholds ...scenarios.Threshold) *Judge {
	t.Helper()
	s := scenarios.Default()
	s.Load.Model, s.Load.Operation, s.Thresholds = scenarios.ConstantRate, delivery.OpPush, thresholds
	return New(s, 1e6, 100*time.Second)
}

// TestJudge compares the outcome of thresholds with what was worked out by hand.
func TestJudge(t *testing.T) {
	const s = time.Second
	good, slow := span{n: 100}, span{n: 100, took: 30 * time.Millisecond}
	stall := span{planned: 100}
	ms := func(x float64) *float64 { x *= 1e6; return &x }
	number := func(x float64) *float64 { return &x }
	breach := func(start, end time.Duration, windows, stalled int64, value *float64, failed bool) results.Breach {
		return results.Breach{Repetition: 1, StartNS: int64(start), EndNS: int64(end), Windows: windows, Stalled: stalled,
			Value: value, Failed: failed}
	}
	for name, c := range map[string]struct {
		threshold string
		plan      time.Duration
		spans     []span
		want      results.WindowsOutcome // without WidthNS and InRow
		says      string
	}{
		"all windows keep it": {"p99-ns/op < 20ms in every 5s", 10 * s, each(10, good),
			results.WindowsOutcome{Judged: 2}, "held"},
		"one second of the second window is slow": {"p99-ns/op < 20ms in every 5s", 10 * s,
			spans(each(7, good), each(1, slow), each(2, good)),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(5*s, 10*s, 1, 0, ms(30), true)}},
			"failed in 1 of 2 windows, from 5s to 10s of repetition 1"},
		"a stall of 4 s, and what was due is answered after it": {"p99-ns/op{op=push} < 20ms in every 1s", 10 * s,
			spans(each(3, good), each(4, stall), each(1, span{n: 500, took: 3 * s}), each(2, good)),
			results.WindowsOutcome{Judged: 10, Broken: 5, Stalled: 4,
				Breaches: []results.Breach{breach(3*s, 8*s, 5, 4, ms(3000), true)}},
			"failed in 5 of 10 windows, from 3s to 8s of repetition 1; nothing succeeded in 4 of them"},
		"the rate of a stall is 0": {"ops/s > 90/s in every 1s", 10 * s,
			spans(each(3, good), each(4, stall), each(1, span{n: 500}), each(2, good)),
			results.WindowsOutcome{Judged: 10, Broken: 4, Breaches: []results.Breach{breach(3*s, 7*s, 4, 0, number(0), true)}},
			"failed in 4 of 10 windows, from 3s to 7s of repetition 1"},
		"a rollout that soaks is not judged": {"ops/s > 90/s in every 1s", 0,
			spans(each(2, good), each(5, span{}), each(2, good)),
			results.WindowsOutcome{Judged: 4, Idle: 5}, "held"},
		"times while a rollout soaks": {"p99-ns/op < 20ms in every 1s", 0,
			spans(each(2, good), each(5, span{}), each(2, good)),
			results.WindowsOutcome{Judged: 4, Idle: 5}, "held"},
		"an operation that runs is no soak": {"p99-ns/op < 20ms in every 1s", 0,
			spans(each(2, good), each(2, span{inFlight: 1}), each(2, good)),
			results.WindowsOutcome{Judged: 6, Broken: 2, Stalled: 2, Breaches: []results.Breach{breach(2*s, 4*s, 2, 2, nil,
				true)}},
			"failed in 2 of 6 windows, from 2s to 4s of repetition 1; nothing succeeded in them"},
		"a threshold that wants long times has nothing to judge in a stall": {"p99-ns/op > 5ms in every 1s", 3 * s,
			spans(each(2, good), each(1, stall)), results.WindowsOutcome{Judged: 2, Idle: 1}, "held"},
		"two windows in a row don't fail one for three": {"p99-ns/op < 20ms in every 1s for 3 windows", 10 * s,
			spans(each(2, slow), each(1, good), each(2, slow), each(5, good)),
			results.WindowsOutcome{Judged: 10, Broken: 4, Breaches: []results.Breach{
				breach(0, 2*s, 2, 0, ms(30), false), breach(3*s, 5*s, 2, 0, ms(30), false)}},
			"held: 4 of 10 windows broke the limit, but never 3 in a row"},
		"three in a row do": {"p99-ns/op < 20ms in every 1s for 3 windows", 10 * s,
			spans(each(1, slow), each(5, good), each(3, slow), each(1, good)),
			results.WindowsOutcome{Judged: 10, Broken: 4, Breaches: []results.Breach{
				breach(0, 1*s, 1, 0, ms(30), false), breach(6*s, 9*s, 3, 0, ms(30), true)}},
			"failed in 4 of 10 windows, from 6s to 9s of repetition 1"},
		"a window that isn't judged doesn't end a row": {"p99-ns/op < 20ms in every 1s for 2 windows", 0,
			spans(each(1, slow), each(1, span{}), each(1, slow), each(1, good)),
			results.WindowsOutcome{Judged: 3, Broken: 2, Idle: 1, Breaches: []results.Breach{breach(0, 3*s, 2, 0, ms(30),
				true)}},
			"failed in 2 of 3 windows, from 0s to 3s of repetition 1"},
		"a remainder of half a window is one": {"p99-ns/op < 20ms in every 2s", 5 * s,
			spans(each(4, good), each(1, slow)),
			results.WindowsOutcome{Judged: 3, Broken: 1, Breaches: []results.Breach{breach(4*s, 5*s, 1, 0, ms(30), true)}},
			"failed in 1 of 3 windows, from 4s to 5s of repetition 1"},
		"a shorter one belongs to the window before": {"p99-ns/op < 20ms in every 5s", 12 * s,
			spans(each(10, good), each(2, slow)),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(5*s, 12*s, 1, 0, ms(30), true)}},
			"failed in 1 of 2 windows, from 5s to 12s of repetition 1"},
		"also without a plan": {"p99-ns/op < 20ms in every 5s", 0,
			spans(each(10, good), each(2, slow)),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(5*s, 12*s, 1, 0, ms(30), true)}},
			"failed in 1 of 2 windows, from 5s to 12s of repetition 1"},
		"which may keep the limit with it": {"ns/op < 20ms in every 5s", 0,
			spans(each(5, slow), each(2, span{n: 500})),
			results.WindowsOutcome{Judged: 1}, "held"},
		"a load shorter than half a window isn't judged": {"p99-ns/op < 20ms in every 5s", 0, each(2, slow),
			results.WindowsOutcome{}, "inconclusive: no window of 5s could be judged: the repetitions were shorter than half of one"},
		"the drain belongs to the last window": {"p99-ns/op < 20ms in every 5s", 10 * s,
			spans(each(9, good), each(4, stall), each(1, span{n: 100, took: 4 * s, late: 100})),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(5*s, 14*s, 1, 0, ms(4000), true)}},
			"failed in 1 of 2 windows, from 5s to 14s of repetition 1"},
		"but not for a rate": {"ops/s >= 80/s in every 5s", 10 * s,
			spans(each(9, good), each(1, span{lasts: 3 * s, n: 100, late: 100})),
			results.WindowsOutcome{Judged: 2}, "held"},
		"which is of the plan": {"ops/s > 80/s in every 5s", 10 * s,
			spans(each(9, good), each(1, span{lasts: 3 * s, n: 100, late: 100})),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(5*s, 10*s, 1, 0, number(80), true)}},
			"failed in 1 of 2 windows, from 5s to 10s of repetition 1"},
		"megabytes a second": {"MB/s > 99 in every 2s", 4 * s, spans(each(3, good), each(1, span{n: 96})),
			results.WindowsOutcome{Judged: 2, Broken: 1, Breaches: []results.Breach{breach(2*s, 4*s, 1, 0, number(98), true)}},
			"failed in 1 of 2 windows, from 2s to 4s of repetition 1"},
		"the share that failed": {"failed/device < 10% in every 1s", 4 * s,
			spans(each(1, good), each(1, span{n: 75, failed: 25}), each(1, stall), each(1, span{n: 91, failed: 9})),
			results.WindowsOutcome{Judged: 3, Broken: 1, Idle: 1,
				Breaches: []results.Breach{breach(1*s, 2*s, 1, 0, number(0.25), true)}},
			"failed in 1 of 3 windows, from 1s to 2s of repetition 1"},
		"all failed, so nothing succeeded": {"ns/op < 1s in every 1s", 2 * s,
			spans(each(1, good), each(1, span{failed: 3})),
			results.WindowsOutcome{Judged: 2, Broken: 1, Stalled: 1, Breaches: []results.Breach{breach(1*s, 2*s, 1, 1, nil,
				true)}},
			"failed in 1 of 2 windows, from 1s to 2s of repetition 1; nothing succeeded in them"},
		"service times are half as long here": {"service-p99-ns/op < 20ms in every 1s", 2 * s, each(2, slow),
			results.WindowsOutcome{Judged: 2}, "held"},
		"the longest": {"max-ns/op <= 10ms in every 1s", 1 * s, each(1, good),
			results.WindowsOutcome{Judged: 1, Broken: 1, Breaches: []results.Breach{breach(0, s, 1, 0, ms(10), true)}},
			"failed in 1 of 1 window, from 0s to 1s of repetition 1"},
		"too few operations": {"p99-ns/op{min=100} < 20ms in every 1s", 3 * s,
			spans(each(1, span{n: 99, took: s}), each(1, good), each(1, span{n: 101})),
			results.WindowsOutcome{Judged: 2, Few: 1}, "held"},
		"too few everywhere": {"p99-ns/op{min=101} < 20ms in every 1s", 3 * s, each(3, slow),
			results.WindowsOutcome{Few: 3}, "inconclusive: no window of 1s could be judged: they had too few operations"},
		"a stall has enough": {"p99-ns/op{min=50} < 20ms in every 1s", 2 * s, spans(each(1, good), each(1, stall)),
			results.WindowsOutcome{Judged: 2, Broken: 1, Stalled: 1, Breaches: []results.Breach{breach(1*s, 2*s, 1, 1, nil,
				true)}},
			"failed in 1 of 2 windows, from 1s to 2s of repetition 1; nothing succeeded in them"},
		"nothing at all": {"p99-ns/op < 20ms in every 1s", 0, each(3, span{}),
			results.WindowsOutcome{Idle: 3},
			"inconclusive: no window of 1s could be judged: nothing was due, running or measured in them"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := parsed(t, c.threshold)
			w := pushes(t, limit)
			feed(w, 1, c.plan, c.spans)
			o, ok := w.Outcome(0)
			require.True(t, ok)
			c.want.WidthNS, c.want.InRow = int64(limit.Window), limit.InRow
			require.Len(t, o.Windows.Breaches, len(c.want.Breaches))
			for i, b := range c.want.Breaches { // a histogram has times to a thousandth
				if got := o.Windows.Breaches[i].Value; b.Value != nil && *b.Value > 0 {
					require.InEpsilon(t, *b.Value, *got, 1e-3)
					c.want.Breaches[i].Value = got
				}
			}
			require.Equal(t, &c.want, o.Windows)
			says, verdict := o.Result()
			require.Equal(t, c.says, says)
			require.Equal(t, verdict == results.Pass, o.Held)
		})
	}
}

// TestJudge_repetitions checks that rows of broken windows don't cross repetitions, and that the
// breaches of all repetitions are listed.
func TestJudge_repetitions(t *testing.T) {
	slow := span{n: 100, took: 30 * time.Millisecond}
	w := pushes(t, parsed(t, "p99-ns/op < 20ms in every 1s for 2 windows"), parsed(t, "ops/s > 1/s"))
	feed(w, 1, 3*time.Second, spans(each(2, span{n: 10}), each(1, slow)))
	feed(w, 2, 3*time.Second, spans(each(1, slow), each(2, span{n: 10})))
	o, _ := w.Outcome(0)
	require.True(t, o.Held)
	require.Equal(t, 2, o.Samples)
	require.EqualValues(t, 2, o.Windows.Broken)
	feed(w, 3, 3*time.Second, spans(each(2, slow), each(1, span{n: 10})))
	o, _ = w.Outcome(0)
	says, _ := o.Result()
	require.Equal(t, "failed in 4 of 9 windows, from 0s to 2s of repetition 3", says)
	require.InEpsilon(t, 30e6, o.Value, 1e-3)
	require.Len(t, o.Windows.Breaches, 3)
	_, ok := w.Outcome(1)
	require.False(t, ok, "it has no windows")
	_, ok = w.Outcome(2)
	require.False(t, ok, "there is none")
	_, ok = (*Judge)(nil).Outcome(0)
	require.False(t, ok)
}

// TestJudge_manyBreaches checks that the list of breaches is bounded, and has those that failed the
// threshold even if they are the last.
func TestJudge_manyBreaches(t *testing.T) {
	slow, good := each(1, span{n: 1, took: 30 * time.Millisecond}), each(1, span{n: 1})
	var list []span
	for range 30 {
		list = spans(list, slow, good)
	}
	w := pushes(t, parsed(t, "p99-ns/op < 20ms in every 1s for 2 windows"))
	feed(w, 1, 0, spans(list, slow, slow, good, slow, slow, good))
	o, _ := w.Outcome(0)
	require.EqualValues(t, 34, o.Windows.Broken)
	breaches := o.Windows.Breaches
	require.Len(t, breaches, results.MaxBreaches)
	require.EqualValues(t, 34*time.Second, breaches[17].StartNS)
	require.Equal(t, results.Breach{Repetition: 1, StartNS: 60e9, EndNS: 62e9, Windows: 2, Value: breaches[18].Value,
		Failed: true}, breaches[18])
	require.Equal(t, results.Breach{Repetition: 1, StartNS: 63e9, EndNS: 65e9, Windows: 2, Value: breaches[19].Value,
		Failed: true}, breaches[19])
	says, _ := o.Result()
	require.Equal(t, "failed in 34 of 66 windows, from 1m0s to 1m2s of repetition 1, from 1m3s to 1m5s of repetition 1",
		says)
}

// TestAbort checks that a threshold with abort breaks the repetition off as soon as it has
// failed, and that nothing is judged after that.
func TestAbort(t *testing.T) {
	limit := parsed(t, "p99-ns/op < 20ms in every 1s for 2 windows")
	limit.Abort = true
	w := pushes(t, parsed(t, "p99-ns/op < 25ms in every 1s"), limit)
	calls := 0
	w.Abort = func() { calls++ }
	slow := span{n: 100, took: 30 * time.Millisecond}
	feed(w, 1, 10*time.Second, spans(each(1, slow), each(1, span{n: 100}), each(1, slow)))
	require.False(t, w.Aborted())
	require.Equal(t, "threshold p99-ns/op < 25ms in every 1s failed", w.Failing())
	feed(w, 2, 10*time.Second, each(10, slow))
	require.True(t, w.Aborted())
	require.Equal(t, 1, calls)
	require.Equal(t, "threshold p99-ns/op < 20ms in every 1s for 2 windows failed: the run ends early (abort: true)",
		w.Failing())
	o, _ := w.Outcome(1)
	says, verdict := o.Result()
	require.Equal(t, results.Regressed, verdict)
	require.Equal(t, "failed in 4 of 5 windows, from 0s to 2s of repetition 2: the run was ended early (abort: true)",
		says)
	require.True(t, o.Windows.EndedRun)
	other, _ := w.Outcome(0)
	require.False(t, other.Windows.EndedRun)
	require.EqualValues(t, 5, other.Windows.Judged)
}

// TestAbort_atTheEnd checks that a repetition that is over isn't broken off.
func TestAbort_atTheEnd(t *testing.T) {
	limit := parsed(t, "p99-ns/op < 20ms in every 1s")
	limit.Abort = true
	w := pushes(t, limit)
	w.Abort = func() { t.Error("broken off") }
	feed(w, 1, time.Second, each(1, span{n: 1, took: time.Second}))
	require.True(t, w.Aborted())

	limit = parsed(t, "ops/s > 200/s in every 1s")
	limit.Abort = true
	w = pushes(t, limit)
	w.Abort = func() { t.Error("broken off in the drain") }
	feed(w, 1, time.Second, each(3, span{n: 100}))
	require.True(t, w.Aborted())
}

// TestJudgeAllocatesNothing checks what happens in the measured process at the end of each interval.
func TestJudgeAllocatesNothing(t *testing.T) {
	w := pushes(t, parsed(t, "p99-ns/op < 20ms in every 1s"), parsed(t, "ns/op > 1s in every 2s"),
		parsed(t, "service-p99-ns/op < 1ms in every 1s for 3 windows"), parsed(t, "max-ns/op < 1ms in every 1s"),
		parsed(t, "ops/s > 90/s in every 1s"), parsed(t, "failed/device == 0 in every 1s"))
	w.Begin(1)
	times := load.NewLatencies(true, 100*time.Second)
	times.Add(30*time.Millisecond, time.Millisecond)
	v := load.Interval{Planned: 1, Succeeded: 1, Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		v.Start, v.End = v.End, v.End+time.Second
		w.Add(&v)
	}))
	o, _ := w.Outcome(0)
	require.EqualValues(t, 101, o.Windows.Broken)
}

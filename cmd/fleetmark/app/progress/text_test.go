package progress

import (
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/stretchr/testify/require"
)

func TestTimeText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		7: "7ns", 99: "99ns", 1234: "1.2µs", 123456: "120µs", 1234567: "1.2ms", 56789 * time.Microsecond: "57ms",
		1234 * time.Millisecond: "1.2s", 83 * time.Second: "1m23s",
	} {
		require.Equal(t, want, timeText(d))
	}
}

// TestETA_text checks that a running repetition shows its rate, times and failures, as far as they
// are known.
func TestETA_text(t *testing.T) {
	e := &eta{}
	e.begin(runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 1, Duration: 10 * time.Second},
		time.Now())
	e.progress(runner.Progress{
		Done: 980, Failed: 20, Elapsed: 2 * time.Second, PlannedRate: 500, P50: 1234567, P99: 56789 * time.Microsecond,
		Classes: map[string]int{"timeout": 15, "throttled": 5},
	})
	require.Equal(t, "980  490/s of 500/s  8s left  p50 1.2ms p99 57ms  20 failed (timeout 15, throttled 5)", e.text())
	e.end(runner.Progress{Done: 4980, Elapsed: 10 * time.Second, PlannedRate: 500, P50: time.Millisecond,
		P99: 2 * time.Millisecond})
	require.Equal(t, "4,980 operations in 10.0s  498/s  p50 1ms p99 2ms", e.endText())

	e.begin(runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 1, Duration: 3 * time.Second,
		Rate: 1234}, time.Now())
	e.progress(runner.Progress{Done: 1200, Elapsed: time.Second})
	require.Equal(t, "trying 1,234/s  1,200  1,200/s  2s left", e.text())
}

// TestETA_stages checks that a running load shows its time and what it is doing, and that a wait
// goes on showing the time.
func TestETA_stages(t *testing.T) {
	waves := make([]results.Wave, 2)
	for want, v := range map[string]runner.Progress{
		"0.4s load  5": {Stage: runner.Load, Elapsed: 450 * time.Millisecond},
		"12.3s load  5  0.4/s  3 in flight  2 not sent": {
			Stage: runner.Load, Elapsed: 12345 * time.Millisecond, InFlight: 3, NotSent: 2,
		},
		"1m02s wave 2 of 3  5  4.84/min  1 in flight": {
			Stage: runner.Load, Elapsed: 62 * time.Second, InFlight: 1, Waves: waves, WaveCount: 3,
		},
		"1h00m soaking after wave 2 of 3, 1m30s left  5  5/h": {
			Stage: runner.Soaking, SoakLeft: 90 * time.Second, Elapsed: time.Hour, Waves: waves, WaveCount: 3,
		},
		"10.0s draining  5  0.5/s  1,000 in flight  why  and why it fails": {
			Stage: runner.Draining, Elapsed: 10 * time.Second, InFlight: 1000, Invalid: "why", Failing: "and why it fails",
		},
	} {
		e := &eta{}
		e.begin(runner.Repetition{Phase: runner.Timed, Number: 1, Total: 1}, time.Now())
		v.Done = 5
		e.progress(v)
		require.Equal(t, want, e.text())
	}
}

func TestFoldParts(t *testing.T) {
	require.Equal(t, []string{"  one two  three", "  four five"},
		foldParts([]string{"one two", "three", "four five"}, "  ", 18))
	require.Equal(t, []string{"  one two", "  three"}, foldParts([]string{"one", "two", "three"}, " ", 10))
	require.Equal(t, []string{"  äö…", "  a b"}, foldParts([]string{"äöüß", "a b"}, "  ", 5))
	require.Empty(t, foldParts(nil, "  ", 80))
}

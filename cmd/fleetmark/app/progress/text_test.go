package progress

import (
	"testing"
	"time"

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
	require.Equal(t, "980  490/s of 500/s  p50 1.2ms p99 57ms  8s left  20 failed (timeout 15, throttled 5)", e.text())
	e.end(runner.Progress{Done: 4980, Elapsed: 10 * time.Second, PlannedRate: 500, P50: time.Millisecond,
		P99: 2 * time.Millisecond})
	require.Equal(t, "4,980 operations in 10.0s  498/s  p50 1ms p99 2ms", e.endText())

	e.begin(runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 1, Duration: 3 * time.Second,
		Rate: 1234}, time.Now())
	e.progress(runner.Progress{Done: 1200, Elapsed: time.Second})
	require.Equal(t, "trying 1,234/s  1,200  1,200/s  2s left", e.text())
}

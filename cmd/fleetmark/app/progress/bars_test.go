package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/stretchr/testify/require"
	"github.com/vbauerster/mpb/v8"
)

// requireCloses closes b. It fails the test if Close doesn't return, which the fake clock of the
// synctest bubble shows at once.
func requireCloses(t *testing.T, b *progressBars) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("Close doesn't return")
		b.pool.Shutdown()
	}
}

// lastDrawn returns the lines that the bars drew last. A goroutine that stays fails the test.
func lastDrawn(t *testing.T, run func(*progressBars)) []string {
	t.Helper()
	var screen bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		b := newBars(&screen, mpb.WithAutoRefresh(), mpb.WithWidth(100))
		run(b)
		requireCloses(t, b)
	})
	text := screen.String()
	if i := strings.LastIndex(text, "\x1b[J"); i >= 0 { // the cursor went up and cleared what was there
		text = text[i+len("\x1b[J"):]
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// repetition has b show a repetition in which done of 40 operations succeed.
func repetition(b *progressBars, phase runner.Phase, number, of int, done int64) {
	s := runner.Repetition{Scenario: "small", Phase: phase, Number: number, Total: of, Planned: 40}
	b.Begin(s)
	time.Sleep(redrawInterval) // of the bubble's clock
	b.Progress(s, runner.Progress{Done: done / 2, Elapsed: time.Second})
	time.Sleep(redrawInterval)
	b.End(s, runner.Progress{Done: done, Failed: 1, Retries: 2, Elapsed: 2 * time.Second})
}

func TestBars(t *testing.T) {
	whole := func(b *progressBars) {
		repetition(b, runner.WarmUp, 1, 1, 39)
		for n := range 3 {
			repetition(b, runner.Timed, n+1, 3, 39)
		}
		repetition(b, runner.Profiled, 1, 1, 39)
	}
	const full = "===]" // a bar at its end has no tip
	for name, c := range map[string]struct {
		run  func(*progressBars)
		want [][]string // what is on each line
	}{
		"nothing began": {func(*progressBars) {}, [][]string{{""}}},
		"all kinds": {whole, [][]string{
			{"small warm-up", full, "1/1  39 of 40  20/s  1 failed  2 retries"},
			{"small timed", full, "3/3  39 of 40  20/s  1 failed  2 retries"},
			{"small profiled", full, "1/1  39 of 40  20/s  1 failed  2 retries"},
		}},
		"interrupted between repetitions": {func(b *progressBars) {
			repetition(b, runner.WarmUp, 1, 1, 39)
			repetition(b, runner.Timed, 1, 3, 39)
		}, [][]string{{"small warm-up", full}, {"small timed", ">---", "1/3"}}},
		"interrupted within one": {func(b *progressBars) {
			s := runner.Repetition{Scenario: "small", Phase: runner.WarmUp, Number: 1, Total: 1, Planned: 40}
			b.Begin(s)
			b.Progress(s, runner.Progress{Done: 20, Elapsed: time.Second})
		}, [][]string{{"small warm-up", ">---", "1/1  20 of 40  20/s  1s left"}}},
		"the last falls short of its plan": {func(b *progressBars) {
			repetition(b, runner.WarmUp, 1, 1, 10)
			repetition(b, runner.Timed, 1, 2, 10)
			repetition(b, runner.Timed, 2, 2, 10)
			repetition(b, runner.Profiled, 1, 1, 39)
		}, [][]string{{"small warm-up", ">---", "1/1"}, {"small timed", ">---", "2/2"}, {"small profiled", full}}},
		"only time tells": {func(b *progressBars) {
			s := runner.Repetition{Scenario: "small", Phase: runner.Timed, Number: 1, Total: 1, Duration: time.Second}
			b.Begin(s)
			b.Progress(s, runner.Progress{Done: 7, Elapsed: 2 * time.Second}) // over its time, but not ended
			time.Sleep(redrawInterval)
			b.End(s, runner.Progress{Done: 7, Elapsed: 2 * time.Second})
		}, [][]string{{"small timed", full}}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := lastDrawn(t, c.run)
			require.Len(t, lines, len(c.want), "%q", lines)
			for i, parts := range c.want {
				for _, part := range parts {
					require.Contains(t, lines[i], part)
				}
			}
		})
	}
}

// TestBars_closedScreen checks that a closed screen doesn't keep the run from ending.
func TestBars_closedScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBars(closedWriter{}, mpb.WithAutoRefresh())
		for n := range 3 {
			repetition(b, runner.Timed, n+1, 3, 39)
		}
		repetition(b, runner.Profiled, 1, 1, 39)
		requireCloses(t, b)
	})
}

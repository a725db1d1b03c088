package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/stretchr/testify/require"
)

// A preparation that takes a second or more gets lines.
func TestLineView_preparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := New(&log, Auto)
		s := runner.Repetition{Scenario: "hung", Phase: runner.Timed, Number: 1, Total: 1}
		for n := range 8 { // 1.4 s
			l.Doing(s, runner.Activity{Stage: runner.Opening, Done: 10 * n, Of: 1300,
				Elapsed: time.Duration(n) * 200 * time.Millisecond})
			time.Sleep(200 * time.Millisecond)
		}
		require.Equal(t, "hung timed 1/1: opening connections 50/1,300  1.0s\n", log.String())
	})
}

// A log gets a line every few seconds, and one at the end of each repetition.
func TestLineView(t *testing.T) {
	var log bytes.Buffer
	l := New(&log, Auto)
	s := runner.Repetition{Scenario: "million", Phase: runner.Timed, Number: 1, Total: 1, Planned: 1_000_000}
	l.Begin(s)
	for n := range int64(60) { // 12 s, a fifth of a second apart
		l.Progress(s, runner.Progress{Done: (n + 1) * 2000, Elapsed: time.Duration(n+1) * 200 * time.Millisecond})
	}
	l.End(s, runner.Progress{Done: 999_998, Failed: 2, Retries: 3, Elapsed: 100 * time.Second})
	l.Close()
	require.Equal(t, []string{
		"million timed 1/1: 50,000 of 1,000,000  10,000/s  1m35s left",
		"million timed 1/1: 100,000 of 1,000,000  10,000/s  1m30s left",
		"million timed 1/1: 999,998 of 1,000,000 operations in 100.0s  10,000/s  2 failed  3 retries",
		"",
	}, strings.Split(log.String(), "\n"))
}

// What is certain is said once, in the line after which it was known.
func TestLineView_certain(t *testing.T) {
	var log bytes.Buffer
	l := New(&log, Lines)
	s := runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 1}
	l.Begin(s)
	for range 3 {
		l.Progress(s, runner.Progress{Stage: runner.Load, Invalid: "it is invalid", Elapsed: time.Second})
	}
	l.Progress(s, runner.Progress{Stage: runner.Load, Invalid: "it is invalid", Failing: "it fails", Elapsed: time.Second})
	require.Equal(t, "x timed 1/1: it is invalid\nx timed 1/1: it fails\n", log.String())
}

// No text of a device is a control sequence on the terminal.
func TestLineView_controlCharacters(t *testing.T) {
	var log bytes.Buffer
	l := New(&log, Lines)
	s := runner.Repetition{Scenario: "rollout", Phase: runner.Timed, Number: 1, Total: 1}
	l.Begin(s)
	l.Progress(s, runner.Progress{Invalid: "device 3: \x1b]0;title\x07\nfoo", Elapsed: LineInterval})
	require.Contains(t, log.String(), "device 3: \uFFFD]0;title\uFFFD foo\n")
	require.NotContains(t, log.String(), "\x1b")
}

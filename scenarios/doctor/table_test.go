package doctor

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
)

func TestWriteTable(t *testing.T) {
	checks := []Check{
		{"cores", OK, "8 cores, GOMAXPROCS 8", "they are shared", ""},
		{"accept queue", Warning, "128 connections", "connections beyond it are dropped", "sudo sysctl -w net.core.somaxconn=4096"},
		{"noise", Problem, "B/A 1.005, spread 29.0%: 10 blocks each can tell 44.1%, 100 can 13.6%", "a change smaller than it can't be told", "end what else runs"},
	}
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, checks, texttable.Style{Width: 60}))
	require.Equal(t, `check         state    found
──────────────────────────────────────────────────────
cores         ok       8 cores, GOMAXPROCS 8
accept queue  warning  128 connections
noise         problem  B/A 1.005, spread 29.0%: 10
                       blocks each can tell 44.1%, 100
                       can 13.6%

accept queue: warning
  why: connections beyond it are dropped
  change: sudo sysctl -w net.core.somaxconn=4096

noise: problem
  why: a change smaller than it can't be told
  change: end what else runs

times can't be judged here: 1 ok, 1 warning, 1 problem, 0 unknown
`, out.String())

	out.Reset()
	require.NoError(t, WriteTable(&out, checks[:1], texttable.Style{Color: true}))
	require.Contains(t, out.String(), "\x1b[32mok\x1b[0m")
	require.True(t, strings.HasSuffix(out.String(), "\nfit to measure on: 1 ok, 0 warnings, 0 problems, 0 unknown\n"))
}

func TestLinesFit(t *testing.T) {
	f := well()
	f.Loopback.Refused = strings.Repeat("a reason ", 30)
	f.Turbo, f.SMT = to(true), to(true)
	for _, width := range []int{60, 80, 120} {
		var out bytes.Buffer
		require.NoError(t, WriteTable(&out, Examine(f), texttable.Style{Width: width}))
		for line := range strings.Lines(out.String()) {
			if !strings.Contains(line, "/sys/devices") { // one word, to be copied
				require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width, line)
			}
		}
	}
}

// TestFactsAreJSON: also where nothing is known, and where it isn't finite.
func TestFactsAreJSON(t *testing.T) {
	for _, f := range []Facts{{}, well()} {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		var back Facts
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, f, back)
	}
}

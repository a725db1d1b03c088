package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/vbauerster/mpb/v8"

	"github.com/fleetmark/fleetmark/scenarios/runner"
)

func TestAgentsParts(t *testing.T) {
	for want, a := range map[string]runner.AgentsStatus{
		"":         {},
		"1 agent":  {Of: 1, Alive: 1},
		"4 agents": {Of: 4, Alive: 4},
		"3 of 4 agents  rack-3 silent for 2.1s": {
			Of: 4, Alive: 3, Silent: "rack-3", SilentFor: 2140 * time.Millisecond, Behind: "rack-3", BehindBy: 3 * time.Second,
		},
		"4 agents  rack-3 behind by 1m02s": {Of: 4, Alive: 4, Behind: "rack-3", BehindBy: 62 * time.Second},
	} {
		require.Equal(t, want, strings.Join(agentsParts(a), "  "))
	}
}

// TestETA_uncounted checks that the rate is that of the time that the figures cover, and the rest
// that of the time that has passed.
func TestETA_uncounted(t *testing.T) {
	e := &eta{}
	e.begin(runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 1, Duration: 10 * time.Second}, time.Now())
	e.progress(runner.Progress{Stage: runner.Load, Elapsed: 1200 * time.Millisecond, Uncounted: 1200 * time.Millisecond})
	require.Equal(t, "1.2s load  0  9s left", e.text())
	e.progress(runner.Progress{Stage: runner.Load, Elapsed: 2700 * time.Millisecond, Uncounted: 700 * time.Millisecond, Done: 800})
	require.Equal(t, "2.7s load  800  400/s  8s left", e.text())
}

// gettingReady is what is told of four agents of which one is late.
func gettingReady(elapsed time.Duration) runner.Activity {
	return runner.Activity{
		Stage: runner.Readying, Done: 3, Of: 4, Elapsed: elapsed, Agents: runner.AgentsStatus{Of: 4, Alive: 4},
		WaitingFor: "rack-3: starting its fleet",
	}
}

// TestLineView_agents checks that a long wait for agents fills no log: a line says what has
// changed, and every few seconds that nothing has.
func TestLineView_agents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := New(&log, Lines)
		s := runner.Repetition{Scenario: "x", Phase: runner.WarmUp, Number: 1, Total: 1}
		for at := time.Duration(0); at <= 8*time.Second; at += 200 * time.Millisecond {
			a := gettingReady(at)
			if at >= 7*time.Second {
				a.Stage, a.WaitingFor = runner.AtGate, ""
			}
			l.Doing(s, a)
			time.Sleep(200 * time.Millisecond) // of the bubble's clock
		}
		const ready = "x warm-up 1/1: agents getting ready 3 of 4 (rack-3: starting its fleet)  "
		require.Equal(t, ready+"1.0s\n"+ready+"6.0s\nx warm-up 1/1: at the gate 3 of 4  7.0s\n", log.String())
	})
}

func TestJSONView_agents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		o := New(&out, JSON)
		s := runner.Repetition{Scenario: "x", Phase: runner.WarmUp, Number: 1, Total: 1}
		o.Doing(s, gettingReady(time.Second))
		o.Begin(s)
		o.Progress(s, runner.Progress{Stage: runner.Load, Elapsed: time.Second, Agents: runner.AgentsStatus{
			Of: 4, Alive: 3, Silent: "a", SilentFor: 2, Behind: "b", BehindBy: 3,
		}})
		schema := compiledSchema(t)
		var got []map[string]any
		for line := range strings.Lines(out.String()) {
			object, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			require.NoError(t, err)
			require.NoError(t, schema.Validate(object))
			var v map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &v))
			got = append(got, v)
		}
		require.Len(t, got, 2)
		require.Equal(t, map[string]any{"of": 4.0, "alive": 4.0}, got[0]["agents"])
		require.Equal(t, []any{"agents getting ready", 3.0, 4.0, "rack-3: starting its fleet", nil}, []any{
			got[0]["stage"], got[0]["done"], got[0]["planned"], got[0]["waiting_for"], got[0]["preparing"],
		})
		require.Equal(t, map[string]any{
			"of": 4.0, "alive": 3.0, "silent": "a", "silent_ns": 2.0, "behind": "b", "behind_ns": 3.0,
		}, got[1]["agents"])
	})
}

// TestScreen checks that notes appear above bars, each line whole, and that none is lost before,
// while and after bars are drawn.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		screen := NewScreen(&out, Bars)
		note := func(text string) {
			n, err := screen.Write([]byte(text))
			require.NoError(t, err)
			require.Equal(t, len(text), n)
		}
		note("before\n")
		b := newBars(&out, mpb.WithAutoRefresh(), mpb.WithWidth(100))
		view := screen.show(b)
		s := runner.Repetition{Scenario: "x", Phase: runner.WarmUp, Number: 1, Total: 1, Planned: 40}
		view.Doing(s, gettingReady(time.Second))
		time.Sleep(redrawInterval) // of the bubble's clock
		note("a1 is ")
		note("there\nand so ")
		time.Sleep(2 * redrawInterval)
		note("is a2\nand then")
		view.Close()
		note(" nothing\n")
	})
	text := out.String()
	require.True(t, strings.HasPrefix(text, "before\n"))
	require.Contains(t, text, "\x1b[Ja1 is there\nx warm-up", "above what is drawn next")
	require.Contains(t, text, "\x1b[Jand so is a2\nx warm-up")
	require.Contains(t, text, "  agents getting ready 3 of 4  1.0s")
	require.Contains(t, text, "\n  waiting for rack-3: starting its fleet\n")
	require.True(t, strings.HasSuffix(text, "\nand then nothing\n"), "%q", text)
}

// TestScreen_closed checks that notes don't stop at a screen that is gone.
func TestScreen_closed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		screen := NewScreen(closedWriter{}, Bars)
		b := newBars(closedWriter{}, mpb.WithAutoRefresh())
		view := screen.show(b)
		repetition(b, runner.Timed, 1, 1, 39)
		_, err := screen.Write([]byte("a note\n"))
		require.NoError(t, err)
		view.Close()
	})
}

package agents

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// fleet returns n agents that are all the same but for their names.
func fleet(n int) *results.Agents {
	a := &results.Agents{Count: n, MaxSkewNS: 5e6, SkewNS: 4e5, SkewErrorNS: 1e5, Starts: []results.StartSkew{{Phase: "timed", Repetition: 1, SkewNS: 4e5}}}
	for i := range n {
		a.List = append(a.List, results.Agent{
			Name: fmt.Sprintf("a%d", i), Index: i, Role: results.RoleBoth, Devices: 10, Operations: 1000, Rate: 100, PlannedRate: 100,
			P50NS: 1e6, P99NS: 10e6, LatenessP99NS: 1e5, CPUNSPerOp: 1e5, SentPerSecond: 1e6, ReceivedPerSecond: 1e3,
			Status: results.AgentFinished,
		})
	}
	return a
}

func TestSentences(t *testing.T) {
	const began = "The agents began within 400µs of each other; their clocks are known to 100µs."
	loss := &results.AgentLoss{Phase: "upload", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), SilentNS: 2e9}
	for name, c := range map[string]struct {
		n      int
		change func(a *results.Agents)
		want   []string
	}{
		"none off": {3, func(*results.Agents) {}, []string{"No agent is off from the others.", began}},
		"alone":    {1, func(*results.Agents) {}, []string{"The run had one agent."}},
		"seven off": {20, func(a *results.Agents) {
			for i := range 7 {
				a.List[i].P99NS = 20e6
			}
		}, []string{
			"Agent a0 is off: its p99 is 20.0ms, the others' median 10.0ms.", "Agent a1 is off: its p99 is 20.0ms, the others' median 10.0ms.",
			"Agent a2 is off: its p99 is 20.0ms, the others' median 10.0ms.", "Agent a3 is off: its p99 is 20.0ms, the others' median 10.0ms.",
			"Agent a4 is off: its p99 is 20.0ms, the others' median 10.0ms.", "2 more agents are off too.", began,
		}},
		"lost, failed and stopped": {4, func(a *results.Agents) {
			a.List[0].Status, a.List[0].Lost = results.AgentLost, loss
			a.List[1].Status, a.List[1].Problem = results.AgentFailed, "no free port."
			a.List[2].Status = results.AgentStopped
			a.List[3].Status = results.AgentStopped
		}, []string{
			"Agent a0 was lost in upload at 03:04:05 UTC, 2s after its last heartbeat.", "Agent a1 failed: no free port.",
			"2 agents were stopped early.", began,
		}},
		"six lost": {6, func(a *results.Agents) {
			for i := range a.List {
				a.List[i].Status = results.AgentLost
			}
		}, []string{
			"Agent a0 was lost.", "Agent a1 was lost.", "Agent a2 was lost.", "Agent a3 was lost.", "Agent a4 was lost.",
			"1 more agent was lost or failed too.", began,
		}},
		"one never came": {2, func(a *results.Agents) { a.Count, a.Starts = 3, nil }, []string{
			"The plan has 3 agents, and 1 agent was never ready.",
		}},
		"a fleet apart": {2, func(a *results.Agents) { a.Count, a.List[1].Role, a.List[1].Index = 1, results.RoleFleet, 0 }, []string{
			"No agent is off from the others.", began,
		}},
		"too far apart": {2, func(a *results.Agents) {
			a.SkewNS = 7e6
			a.Starts = append(a.Starts, results.StartSkew{Phase: "timed", Repetition: 2, SkewNS: 7e6})
		}, []string{
			"No agent is off from the others.",
			"The agents began within 7.00ms of each other, in the worst of 2 repetitions (timed 2); " +
				"their clocks are known to 100µs, and 5.00ms is allowed.",
		}},
		"one machine": {2, func(a *results.Agents) { a.List[0].Machine, a.List[1].Machine = "x", "x" }, []string{
			"No agent is off from the others.", began,
			"All agents ran on one machine and shared its processors, so that their times say nothing about several machines.",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := fleet(c.n)
			c.change(a)
			require.Equal(t, c.want, New(a, 0).Sentences)
		})
	}
	require.Nil(t, New(nil, 0))
	require.Nil(t, New(&results.Agents{Count: 3}, 0))
}

// TestRows checks which agents a bounded table shows.
func TestRows(t *testing.T) {
	names := func(s *Section) (list []string) {
		for _, row := range s.Rows {
			list = append(list, row.Agent.Name)
		}
		return list
	}
	require.Len(t, New(fleet(20), 20).Rows, 20, "all have room")
	a := fleet(1000)
	a.List[900].Status = results.AgentLost
	a.List[800].P99NS = 90e6        // off, and the extreme
	a.List[700].Rate = 99           // the lowest, and not off
	a.List[600].CPUNSPerOp = 1.1e5  // the highest
	a.List[500].StartLateNS = 9e6   // the latest
	a.List[400].LatenessP99NS = 2e5 // the highest
	a.List[300].SentPerSecond = 2e6 // the highest
	a.List[200].P99NS = 9e6         // the lowest
	s := New(a, 20)
	require.Equal(t, []string{"a0", "a200", "a300", "a400", "a500", "a600", "a700", "a800", "a900"}, names(s))
	require.Contains(t, s.Sentences, "991 of 1,000 agents are left out: "+
		"the table has those that are off or lost, and the extremes; run.json has all.")
	require.Len(t, New(a, 0).Rows, 1000)
	for i := range 100 {
		a.List[i].Status = results.AgentLost
	}
	require.Len(t, New(a, 20).Rows, 20, "even of those that were lost")
}

// TestColumns checks that the table leaves out what nobody knows, and marks why an agent is off.
func TestColumns(t *testing.T) {
	heads := func(s *Section) (list []string) {
		for _, c := range s.Columns {
			list = append(list, c.Name)
		}
		return list
	}
	a := fleet(3)
	require.Equal(t, []string{"agent", "devices", "rate", "p50", "p99", "lateness p99", "CPU/op", "sent", "received", "began late", "status"},
		heads(New(a, 0)))
	a.List[2].P99NS = 40e6
	for i := range a.List {
		l := &a.List[i]
		l.LatenessP99NS, l.CPUNSPerOp, l.SentPerSecond, l.ReceivedPerSecond = 0, 0, 0, 0
	}
	a.List[1].Role, a.List[1].Rate, a.List[1].P50NS, a.List[1].P99NS = results.RoleFleet, 0, 0, 0
	s := New(a, 0)
	require.Equal(t, []string{"agent", "role", "devices", "rate", "p50", "p99", "began late", "status"}, heads(s))
	require.Equal(t, []Cell{{"a1", false}, {"fleet", false}, {"10", false}, {"–", false}, {"–", false}, {"–", false}, {"0s", false}, {"finished", false}}, s.Rows[1].Cells)
	require.Equal(t, Cell{"40.0ms", true}, s.Rows[2].Cells[5], "more than twice the other's")
	table := s.Table(func(text string) string { return text }, func(text string) string { return "!" + text })
	require.Equal(t, "!40.0ms", table.Rows[2][5])
}

package results

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOff has its expectations worked out by hand from the rule in docs/reference/agents.md.
func TestOff(t *testing.T) {
	const ms = 1_000_000
	agent := func(change func(*Agent)) func(*Agent) { return change }
	same := agent(func(*Agent) {})
	cases := map[string]struct {
		closed bool
		agents []func(*Agent)
		want   []AgentOff
	}{
		"none":     {agents: nil},
		"alone":    {agents: []func(*Agent){agent(func(a *Agent) { a.P99NS = 900 * ms })}},
		"all same": {agents: []func(*Agent){same, same, same, same}},
		"slow": { // the others have 30 ms, 30 ms and 34 ms
			agents: []func(*Agent){same, agent(func(a *Agent) { a.P99NS = 34 * ms }), agent(func(a *Agent) { a.P99NS = 95 * ms }), same},
			want:   []AgentOff{{"c", 2, []OffReason{{MeasureP99, 95 * ms, 30 * ms}}}},
		},
		"exactly 1.5 times": {agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS = 45 * ms })}},
		"two of four, each against the three others": {
			agents: []func(*Agent){same, agent(func(a *Agent) { a.P99NS = 95 * ms }), agent(func(a *Agent) { a.P99NS = 90 * ms }), same},
			want: []AgentOff{
				{"b", 1, []OffReason{{MeasureP99, 95 * ms, 30 * ms}}}, {"c", 2, []OffReason{{MeasureP99, 90 * ms, 30 * ms}}},
			},
		},
		"an even number of others: the mean of the middle two": { // 30, 30, 40, 60: median 35
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS = 40 * ms }), agent(func(a *Agent) { a.P99NS = 60 * ms }), agent(func(a *Agent) { a.P99NS = 61 * ms })},
			want: []AgentOff{
				{"d", 3, []OffReason{{MeasureP99, 60 * ms, 35 * ms}}}, {"e", 4, []OffReason{{MeasureP99, 61 * ms, 35 * ms}}},
			},
		},
		"less than 1 ms above": {agents: []func(*Agent){
			agent(func(a *Agent) { a.P99NS = 500_000 }), agent(func(a *Agent) { a.P99NS = 500_000 }), agent(func(a *Agent) { a.P99NS = 1_499_999 }),
		}},
		"too few operations": {agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS, a.Operations = 95*ms, 99 })}},
		"two agents, twice":  {agents: []func(*Agent){same, agent(func(a *Agent) { a.P99NS = 60 * ms })}},
		"two agents, more than twice": {
			agents: []func(*Agent){same, agent(func(a *Agent) { a.P99NS = 61 * ms })},
			want:   []AgentOff{{"b", 1, []OffReason{{MeasureP99, 61 * ms, 30 * ms}}}},
		},
		"open: 89% of the plan": { // the others achieve all of theirs
			agents: []func(*Agent){same, agent(func(a *Agent) { a.Rate = 178 }), same},
			want:   []AgentOff{{"b", 1, []OffReason{{MeasureRate, 178, 200}}}},
		},
		"open: a small shard's plan is smaller": {agents: []func(*Agent){same, same, agent(func(a *Agent) { a.Rate, a.PlannedRate, a.Devices = 20, 20, 100 })}},
		"open: all fail a fifth":                {agents: []func(*Agent){agent(func(a *Agent) { a.Rate = 160 }), agent(func(a *Agent) { a.Rate = 160 }), agent(func(a *Agent) { a.Rate = 160 })}},
		"closed: by devices": { // 0.2 a device; 800 devices would make 160
			closed: true,
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.Rate, a.Devices = 140, 800 })},
			want:   []AgentOff{{"c", 2, []OffReason{{MeasureRate, 140, 160}}}},
		},
		"closed: half of two": {
			closed: true,
			agents: []func(*Agent){same, agent(func(a *Agent) { a.Rate = 99 })},
			want:   []AgentOff{{"b", 1, []OffReason{{MeasureRate, 99, 200}}}},
		},
		"closed: more than half of two": {closed: true, agents: []func(*Agent){same, agent(func(a *Agent) { a.Rate = 101 })}},
		"nothing succeeded": { // no p99 to compare, and no rate
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS, a.Rate, a.CPUNSPerOp = 0, 0, 0 })},
			want:   []AgentOff{{"c", 2, []OffReason{{MeasureRate, 0, 200}}}},
		},
		"late": {
			agents: []func(*Agent){same, agent(func(a *Agent) { a.LatenessP99NS = 6_100_000 }), same},
			want:   []AgentOff{{"b", 1, []OffReason{{MeasureLateness, 6_100_000, 2 * ms}}}},
		},
		"late, but not over 5 ms": {agents: []func(*Agent){agent(func(a *Agent) { a.LatenessP99NS = 1 * ms }), agent(func(a *Agent) { a.LatenessP99NS = 5 * ms }), agent(func(a *Agent) { a.LatenessP99NS = 1 * ms })}},
		"late as others":          {agents: []func(*Agent){same, agent(func(a *Agent) { a.LatenessP99NS = 6 * ms }), same}},
		"processors": {
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.CPUNSPerOp = 152_000 })},
			want:   []AgentOff{{"c", 2, []OffReason{{MeasureCPU, 152_000, 100_000}}}},
		},
		"in several measures": {
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS, a.Rate, a.CPUNSPerOp = 95*ms, 20, 300_000 })},
			want: []AgentOff{{"c", 2, []OffReason{
				{MeasureP99, 95 * ms, 30 * ms}, {MeasureRate, 20, 200}, {MeasureCPU, 300_000, 100_000},
			}}},
		},
		"lost, failed and fleet aren't compared": {agents: []func(*Agent){
			same, same,
			agent(func(a *Agent) { a.P99NS, a.Status = 95*ms, AgentLost }),
			agent(func(a *Agent) { a.P99NS, a.Status = 95*ms, AgentFailed }),
			agent(func(a *Agent) { a.P99NS, a.Role = 95*ms, RoleFleet }),
		}},
		"stopped is compared": {
			agents: []func(*Agent){same, same, agent(func(a *Agent) { a.P99NS, a.Status = 95*ms, AgentStopped })},
			want:   []AgentOff{{"c", 2, []OffReason{{MeasureP99, 95 * ms, 30 * ms}}}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			agents := &Agents{Count: len(c.agents)}
			for i, change := range c.agents {
				a := Agent{
					Name: string(rune('a' + i)), Index: i, Role: RoleBoth, Status: AgentFinished, Devices: 1000,
					Operations: 6000, Rate: 200, PlannedRate: 200, P50NS: 10 * ms, P99NS: 30 * ms, LatenessP99NS: 2 * ms,
					CPUNSPerOp: 100_000,
				}
				if c.closed {
					a.PlannedRate, a.LatenessP99NS = 0, 0
				}
				change(&a)
				agents.List = append(agents.List, a)
			}
			require.Equal(t, c.want, agents.Off())
		})
	}
	require.Empty(t, (*Agents)(nil).Off())
}

func TestAgentOffString(t *testing.T) {
	off := AgentOff{Name: "c\x1b\n", Reasons: []OffReason{
		{MeasureP99, 95e6, 30e6}, {MeasureRate, 1780, 2000}, {MeasureLateness, 6e6, 2e6}, {MeasureCPU, 300e3, 100e3},
	}}
	require.Equal(t, "agent c\uFFFD is off: its p99 is 95.0ms, the others' median 30.0ms; "+
		"its rate is 1,780/s, its share at the others' median 2,000/s; "+
		"its lateness has a p99 of 6.00ms, the others' median 2.00ms; "+
		"an operation takes 300µs of its processors, the others' median 100µs", off.String())
}

func TestAgentLossString(t *testing.T) {
	at := time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600))
	for want, loss := range map[string]AgentLoss{
		"lost in timed repetition 2 at 03:04:05 UTC, 3.25s after its last heartbeat": {Phase: "timed", Repetition: 2, Time: at, SilentNS: 3_251_000_000},
		"lost in upload at 03:04:05 UTC, 2s after its last heartbeat":                {Phase: "upload", Time: at, SilentNS: 2_000_000_000},
	} {
		require.Equal(t, want, loss.String())
	}
}

func TestOneMachine(t *testing.T) {
	for _, c := range []struct {
		machines []string
		want     bool
	}{
		{nil, false}, {[]string{"x"}, false}, {[]string{"x", "x", "x"}, true}, {[]string{"x", "x", "y"}, false},
		{[]string{"", ""}, false}, {[]string{"x", ""}, false},
	} {
		a := &Agents{}
		for _, m := range c.machines {
			a.List = append(a.List, Agent{Machine: m})
		}
		require.Equal(t, c.want, a.OneMachine(), fmt.Sprint(c.machines))
	}
}

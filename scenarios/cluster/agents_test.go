package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFactNotes(t *testing.T) {
	says := func(name string, facts ...string) *member {
		return &member{Info: with(named(name), func(i *Info) { i.Facts = facts })}
	}
	require.Empty(t, factNotes([]*member{says("a"), says("b")}))
	require.Equal(t, []string{"agent a: turbo: on", "agents a, b: quota: 1.50 cores", "agent b: a line \uFFFD[2J of two"},
		factNotes([]*member{says("a", "turbo: on", "quota: 1.50 cores"),
			says("b", "quota: 1.50 cores", "a line \x1b[2J\nof two")}))

	var many []*member
	for i := range 30 {
		many = append(many, says(fmt.Sprintf("a%d", i), "turbo: on", strings.Repeat("x", 1000),
			fmt.Sprintf("memory: %d MiB", i)))
	}
	notes := factNotes(many)
	require.Len(t, notes, maxFactsOfAll+1)
	require.Equal(t, "agents a0, a1, a2, a3, a4, a5, a6, a7, and 22 more: turbo: on", notes[0])
	require.Equal(t, "16 findings more about the agents' machines: see `fleetmark doctor` there", notes[maxFactsOfAll])
	for _, n := range notes {
		require.LessOrEqual(t, len(n), maxFact+maxNamed*66+30)
	}
}

// TestRunWithAgents_facts checks that the run notes what is unfit about an agent's machine.
func TestRunWithAgents_facts(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agent(t, "a1", nil)
	cluster.agent(t, "a2", func(o *AgentOptions) { o.Facts = []string{"turbo: on"} })
	got, err := run(t, cluster.controller(t, Options{Agents: 2}), cluster.options(spec(t)))
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	require.Contains(t, got.Run.Notes, "agent a2: turbo: on")
}

package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/scenarios/runner"
)

func TestAgentsStatus(t *testing.T) {
	now := time.Now()
	heard := func(name string, ago time.Duration) *member { return &member{Info: named(name), seen: now.Add(-ago)} }
	gone := heard("gone", time.Minute)
	gone.gone = &LostError{}
	const second = time.Second
	for _, row := range []struct {
		members []*member
		want    runner.AgentsStatus
	}{
		{[]*member{heard("a", 0), heard("b", 2500*time.Millisecond)}, runner.AgentsStatus{Of: 2, Alive: 2}},
		{
			[]*member{heard("a", 3*second), heard("b", 4*second), heard("c", 0)},
			runner.AgentsStatus{Of: 3, Alive: 1, Silent: "b", SilentFor: 4 * second},
		},
		{[]*member{gone, heard("b", 0)}, runner.AgentsStatus{Of: 2, Alive: 1}},
	} {
		require.Equal(t, row.want, agentsStatus(row.members, now, 5*second))
	}
}

// TestWait_activity checks that the agent that is waited for is named, with what it does.
func TestWait_activity(t *testing.T) {
	now := time.Now()
	ready := &member{Info: named("ready"), state: agentState{Ready: &readiness{}}}
	busy := func(name string, s agentState) *member { return &member{Info: named(name), state: s} }
	for _, row := range []struct {
		stage   runner.Stage
		members []*member
		silent  string
		want    runner.Stage
		done    int
		waiting string
	}{
		{runner.Readying, []*member{ready, ready}, "", runner.Readying, 2, ""},
		{
			runner.Readying, []*member{ready, busy("rack-3", agentState{Activity: "starting its fleet"}),
				busy("z", agentState{})}, "",
			runner.Readying, 1, "rack-3: starting its fleet",
		},
		{runner.Readying, []*member{busy("a", agentState{}), ready, busy("b", agentState{})}, "b", runner.Readying, 1,
			"b: silent for 3.1s"},
		{
			runner.AtGate, []*member{ready,
				busy("a", agentState{Activity: "opening connections", ActivityDone: 40, ActivityOf: 300})}, "",
			runner.AtGate, 1, "a: opening connections 40/300",
		},
		{runner.Uploading, []*member{busy("a", agentState{Activity: "checking for leaks"})}, "", runner.Releasing, 0, ""},
		{runner.Uploading, []*member{busy("a", agentState{})}, "", runner.Uploading, 0, ""},
	} {
		w := &wait{
			stage: row.stage, members: row.members, since: now.Add(-time.Second),
			arrived: func(m *member) bool { return m.state.Ready != nil },
		}
		agents := runner.AgentsStatus{Of: 3, Alive: 3, Silent: row.silent, SilentFor: 3140 * time.Millisecond}
		require.Equal(t, runner.Activity{
			Stage: row.want, Done: row.done, Of: len(row.members), Elapsed: time.Second, Agents: agents, WaitingFor: row.waiting,
		}, w.activity(agents, now))
	}
}

// A viewLog is an Observer that keeps what it is told. It isn't locked: only one goroutine tells
// it.
type viewLog struct {
	stages  []runner.Stage // outside loads, each once until another follows
	most    map[runner.Stage]runner.Activity
	began   int
	ended   []string
	elapsed time.Duration
	backed  []string // what went backwards
	agents  runner.AgentsStatus
	reports int
}

func (v *viewLog) Doing(_ runner.Repetition, a runner.Activity) {
	if n := len(v.stages); a.Stage != "" && (n == 0 || v.stages[n-1] != a.Stage) {
		v.stages = append(v.stages, a.Stage)
	}
	if v.most == nil {
		v.most = map[runner.Stage]runner.Activity{}
	}
	v.most[a.Stage] = a
}

func (v *viewLog) Begin(runner.Repetition) { v.began, v.elapsed = v.began+1, 0 }

func (v *viewLog) Progress(rep runner.Repetition, p runner.Progress) {
	if p.Elapsed < v.elapsed {
		v.backed = append(v.backed, fmt.Sprint(rep.Phase, rep.Number, v.elapsed, p.Elapsed))
	}
	v.elapsed, v.agents, v.reports = p.Elapsed, p.Agents, v.reports+1
}

func (v *viewLog) End(rep runner.Repetition, p runner.Progress) {
	v.ended = append(v.ended, fmt.Sprint(rep.Phase, rep.Number, " ", p.Done))
}

// TestRunWithAgents_view checks what the Observer of a run is told: that agents are waited for, and
// then the load of all of them, with a time that runs on between their batches.
func TestRunWithAgents_view(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agent(t, "a1", nil)
	o := cluster.options(spec(t, "load.model=constant", "load.rate=100/s", "load.duration=2s", "warmup=0",
		"repetitions=1"))
	log := &firstJoin{join: func() { cluster.agent(t, "a2", nil) }}
	o.Observer = log
	got, err := run(t, cluster.controller(t, Options{Agents: 2}), o)
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	require.Equal(t, runner.Joining, log.stages[0])
	require.Equal(t, 1, log.one.Done)
	require.Equal(t, 2, log.one.Of)
	require.Equal(t, 1, log.began)
	require.Equal(t, []string{"timed1 200"}, log.ended)
	require.Empty(t, log.backed)
	require.Equal(t, runner.AgentsStatus{Of: 2, Alive: 2}, log.agents)
	require.Greater(t, log.reports, 2, "more than there are intervals")
}

// firstJoin is a viewLog that has another agent join once one is there.
type firstJoin struct {
	viewLog
	join func()
	one  runner.Activity // when one was there
}

func (v *firstJoin) Doing(rep runner.Repetition, a runner.Activity) {
	if a.Stage == runner.Joining && a.Done == 1 && v.one.Stage == "" {
		v.one = a
		v.join()
	}
	v.viewLog.Doing(rep, a)
}

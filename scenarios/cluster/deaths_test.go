package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// testLease returns the lease of tests in which somebody has to be missed, and nobody else: on a busy
// machine with the race detector, a process may be held up for seconds.
func testLease() time.Duration {
	if testenv.Raced {
		return 10 * time.Second
	}
	return 2 * time.Second
}

// The moments of a run, by what an agent is about to say at each.
var moments = []struct {
	name, says  string
	when        string // what an error says about the moment
	begun       bool   // whether the run's directory exists
	repetitions int    // timed ones that are complete then
}{
	{"preparing", `PUB fleetmark\.[0-9a-f]+\.clock`, "before the first repetition", false, 0},
	{"at the gate", `"at_gate":{"phase":"timed","number":2}`, "before timed repetition 2", true, 1},
	{"load", `"number":1},"armed":`, "after the start of timed repetition 1", true, 0},
	{"upload", "Fleetmark-Kind: portion", "after the start of timed repetition 1", true, 0},
	{"end", `"phase":"(uploading|done)"`, "after the last repetition", true, 2},
}

// attempt does a run that may fail at any moment.
func attempt(ctx context.Context, c *Controller, o runner.Options) (*runner.Result, error) {
	r, err := c.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	result, err := r.Measure(ctx)
	v := results.Invalid
	if result.Run.Valid {
		v = results.Pass
	}
	if finished := r.Finish(v); finished != nil {
		return result, fmt.Errorf("finishing: %w", finished)
	}
	return result, err
}

// requireNothingLeft checks that no run has anything in JetStream.
func (c *testCluster) requireNothingLeft(t *testing.T) {
	t.Helper()
	js := jetStream(t, c.connect(t, bus.Controller))
	eventually(t, "nothing stays in JetStream", func() bool {
		left, err := bus.Left(t.Context(), js)
		return err == nil && len(left) == 0
	})
}

// requireAnotherRun checks that the agents can do another run.
func (c *testCluster) requireAnotherRun(t *testing.T, controller *Controller) {
	t.Helper()
	controller.Lease = time.Minute
	o := c.options(spec(t, "repetitions=1", "warmup=0", "load.max_skew=1m"))
	o.Out = filepath.Join(c.dir, "another")
	got, err := run(t, controller, o)
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	require.Equal(t, results.StatusFinished, got.Run.Status)
	c.requireNothingLeft(t)
}

// runOf returns the only run in a directory, or nil if there is none.
func runOf(t *testing.T, dir string) *rundir.Loaded {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	if len(found) == 0 {
		return nil
	}
	require.Len(t, found, 1)
	loaded, err := rundir.Load(found[0])
	require.NoError(t, err)
	return loaded
}

// said waits until a note says something.
func (c *testCluster) said(t *testing.T, text string) {
	t.Helper()
	eventually(t, text, func() bool {
		return slices.ContainsFunc(c.notes.all(), func(line string) bool { return strings.Contains(line, text) })
	})
}

// TestAgentDies checks that a run whose agent is never heard of again ends after the lease, is
// invalid and says why, and that the other agent is free afterwards.
func TestAgentDies(t *testing.T) {
	for _, row := range moments {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cluster := newTestCluster(t)
			w := cluster.wire(t)
			cluster.agent(t, "a1", nil)
			cluster.agentAt(t, w.url(), "a2", nil)
			w.when(row.says, w.cut)
			controller := cluster.controller(t, Options{Agents: 2, Lease: testLease()})
			got, err := attempt(t.Context(), controller, cluster.options(spec(t, "load.duration=200ms", "warmup=0")))
			require.ErrorContains(t, err, row.when+": it said nothing for ")
			require.NotContains(t, err.Error(), "\n")
			lost := &LostError{}
			require.ErrorAs(t, err, &lost)
			require.Equal(t, "a2", lost.Agent)

			cluster.said(t, "a2: run ")
			eventually(t, "the agent that is cut off ends its part", func() bool {
				own := runOf(t, filepath.Join(cluster.dir, "a2"))
				return own == nil && !row.begun || own != nil && own.Run.Status != results.StatusRunning
			})
			require.Equal(t, row.begun, got != nil)
			if merged := runOf(t, filepath.Join(cluster.dir, "merged")); row.begun {
				require.Equal(t, results.StatusFailed, merged.Run.Status)
				require.Equal(t, row.repetitions, merged.Run.Repetitions)
				require.Len(t, merged.Run.Invalid, 1)
				require.Contains(t, merged.Run.Invalid[0], "agent a2 was lost")
				require.Equal(t, results.AgentLost, merged.Run.Agents.List[1].Status)
				require.NotEqual(t, results.AgentLost, merged.Run.Agents.List[0].Status)
				own := runOf(t, filepath.Join(cluster.dir, "a1"))
				require.NotEqual(t, results.StatusRunning, own.Run.Status)
				require.GreaterOrEqual(t, own.Run.Repetitions, row.repetitions)
			} else {
				require.Nil(t, merged)
			}
			cluster.requireNothingLeft(t)
			controller.Agents = 1
			cluster.requireAnotherRun(t, controller)
		})
	}
}

// TestControllerDies checks that agents end their part within the lease if the controller is gone,
// remove what it left in JetStream, and are free for another.
func TestControllerDies(t *testing.T) {
	for _, row := range moments {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cluster := newTestCluster(t)
			own, other := cluster.wire(t), cluster.wire(t)
			cluster.agent(t, "a1", nil)
			cluster.agentAt(t, other.url(), "a2", nil)
			other.when(row.says, own.cut)
			dying := cluster.controllerOn(t, cluster.connectTo(t, own.url(), bus.Controller),
				Options{Agents: 2, Lease: testLease()})
			file := filepath.Join(t.TempDir(), "firmware.bin")
			writeRandom(t, file, 10<<10)
			got, err := attempt(t.Context(), dying,
				cluster.options(spec(t, "load.duration=200ms", "warmup=0", "artifact.file="+file)))
			require.ErrorIs(t, err, errNATSLost)
			require.Equal(t, row.begun, got != nil)
			for _, name := range []string{"a1", "a2"} {
				cluster.said(t, name+": run ")
				eventually(t, name+" ends its part", func() bool {
					own := runOf(t, filepath.Join(cluster.dir, name))
					return own == nil && !row.begun || own != nil && own.Run.Status != results.StatusRunning
				})
			}
			cluster.requireNothingLeft(t)
			cluster.requireAnotherRun(t, cluster.controller(t, Options{Agents: 2}))
		})
	}
}

// TestNATSRestarts restarts the server while the load runs. A run survives that if the server still
// has what agents have sent.
func TestNATSRestarts(t *testing.T) {
	for _, row := range []struct {
		name    string
		restart bool
		forget  bool
		err     string
	}{
		{"it has the results", true, false, ""},
		{"it has forgotten the results", true, true,
			"NATS was lost: it was started again, and has forgotten the results of the agents"},
		{"it is gone", false, false, fmt.Sprintf("NATS was lost: there was no connection for %v", testLease())},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			options := bus.ServerOptions{Listen: "127.0.0.1:0", Store: t.TempDir(), KeepStore: true}
			cluster := newTestClusterWith(t, options)
			cluster.agents(t, 2)
			lease := testLease()
			if row.restart { // connecting again may take a second
				lease = 20 * time.Second
			}
			controller := cluster.controller(t, Options{Agents: 2, Lease: lease})
			options.Listen = cluster.server.Addr()
			if row.forget {
				options.Store = t.TempDir()
			}
			restarted := make(chan error, 1)
			o := cluster.options(spec(t, "load.duration=600ms", "load.max_skew=1m", "warmup=0"))
			o.Observer = onBegin{func(rep runner.Repetition) {
				if rep.Number != 1 {
					return
				}
				go func() {
					err := cluster.server.Close()
					if row.restart && err == nil {
						var s *bus.Server
						if s, err = bus.Serve(options); err == nil {
							t.Cleanup(func() { _ = s.Close() })
							cluster.server = s
						}
					}
					restarted <- err
				}()
			}}
			got, err := attempt(t.Context(), controller, o)
			require.NoError(t, <-restarted)
			if row.err == "" {
				require.NoError(t, err)
				require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
				require.Equal(t, 2, got.Run.Repetitions)
				cluster.requireAnotherRun(t, controller)
				return
			}
			require.EqualError(t, err, row.err)
			require.Equal(t, results.StatusFailed, got.Run.Status)
			require.Contains(t, strings.Join(got.Run.Invalid, "\n"), row.err)
			for _, name := range []string{"a1", "a2"} {
				eventually(t, name+" ends its part", func() bool {
					own := runOf(t, filepath.Join(cluster.dir, name))
					return own != nil && own.Run.Status != results.StatusRunning
				})
			}
			if row.restart {
				cluster.requireAnotherRun(t, controller)
			}
		})
	}
}

// TestStreamIsRemoved checks that a run ends whose stream somebody removes while the load runs.
func TestStreamIsRemoved(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agents(t, 1)
	js := jetStream(t, cluster.connect(t, bus.Controller))
	removed := make(chan error, 1)
	o := cluster.options(spec(t, "load.duration=300ms", "warmup=0"))
	o.Observer = onBegin{func(runner.Repetition) {
		go func() {
			left, err := bus.Left(t.Context(), js)
			for _, name := range left {
				err = errors.Join(err, js.DeleteStream(t.Context(), name))
			}
			removed <- err
		}()
	}}
	got, err := attempt(t.Context(), cluster.controller(t, Options{Agents: 1, Lease: maxLease}), o)
	require.NoError(t, <-removed)
	require.ErrorIs(t, err, errNATSLost)
	require.ErrorContains(t, err, "somebody removed the run's stream or its consumer")
	require.Equal(t, results.StatusFailed, got.Run.Status)
	require.False(t, got.Run.Valid)
}

// onBegin is an observer that calls a function when a repetition begins.
type onBegin struct{ do func(runner.Repetition) }

func (onBegin) Doing(runner.Repetition, runner.Activity)    {}
func (o onBegin) Begin(rep runner.Repetition)               { o.do(rep) }
func (onBegin) Progress(runner.Repetition, runner.Progress) {}
func (onBegin) End(runner.Repetition, runner.Progress)      {}

// TestAgentIsEnded checks that an agent that somebody ends says so: the run ends at once, long
// before the lease does.
func TestAgentIsEnded(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agent(t, "a1", nil)
	end := cluster.agent(t, "a2", nil)
	controller := cluster.controller(t, Options{Agents: 2, Lease: maxLease})
	ended := make(chan error, 1)
	o := cluster.options(spec(t, "load.duration=10s", "warmup=0"))
	o.Observer = onBegin{func(runner.Repetition) { go func() { ended <- end() }() }}
	got, err := attempt(t.Context(), controller, o)
	require.NoError(t, <-ended)
	require.ErrorContains(t, err, "agent a2 failed ")
	require.ErrorContains(t, err, "after the start of timed repetition 1: it was ended on its machine")
	require.NotContains(t, err.Error(), "\n")
	require.Equal(t, results.StatusFailed, got.Run.Status)
	require.Equal(t, results.AgentFailed, got.Run.Agents.List[1].Status)
	require.Equal(t, "it was ended on its machine", got.Run.Agents.List[1].Problem)
	require.Equal(t, results.AgentStopped, got.Run.Agents.List[0].Status)
	for _, name := range []string{"a1", "a2"} {
		require.Equal(t, results.StatusInterrupted, runOf(t, filepath.Join(cluster.dir, name)).Run.Status)
	}
	controller.Agents = 1
	cluster.requireAnotherRun(t, controller)
}

// TestAgentIsEnded_beforeItsPart checks that an agent tells a controller whose offer it accepted at
// the last moment.
func TestAgentIsEnded_beforeItsPart(t *testing.T) {
	cluster := newTestCluster(t)
	conn := cluster.connect(t, bus.Agent)
	a := &agentServer{
		AgentOptions: AgentOptions{Name: "a1", work: nothing}, conn: conn, instance: "i", clock: newClock(), jobs: make(chan *job, 1),
	}
	heard, err := cluster.connect(t, bus.Controller).SubscribeSync("fleetmark.0123456789ab.agents.a1.state")
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	a.jobs <- newJob(a, offer{Run: "0123456789ab", Role: Both, Lease: testLease()}, spec(t))
	a.leave(t.Context())
	for last := ""; !strings.Contains(last, `"phase":"failed"`); {
		m, err := heard.NextMsg(time.Minute)
		require.NoError(t, err)
		last = string(m.Data)
	}
}

// nothing is the work of an agent that does none.
func nothing(_ *job, ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestInterrupted interrupts the controller. It ends long before the lease does, keeps what was
// measured, and its agents are free.
func TestInterrupted(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agents(t, 2)
	controller := cluster.controller(t, Options{Agents: 2, Lease: maxLease})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := cluster.options(spec(t, "load.duration=300ms", "warmup=0", "repetitions=50"))
	o.Observer = onBegin{func(rep runner.Repetition) {
		if rep.Number == 2 {
			cancel()
		}
	}}
	got, err := attempt(ctx, controller, o)
	require.NoError(t, err, "an interruption is no error")
	require.Equal(t, results.StatusInterrupted, got.Run.Status)
	merged := runOf(t, filepath.Join(cluster.dir, "merged"))
	require.Equal(t, 1, merged.Run.Repetitions)
	for i, name := range []string{"a1", "a2"} {
		require.Equal(t, results.AgentStopped, merged.Run.Agents.List[i].Status)
		require.Equal(t, "it was interrupted", merged.Run.Agents.List[i].Problem)
		own := runOf(t, filepath.Join(cluster.dir, name))
		require.Equal(t, results.StatusInterrupted, own.Run.Status)
		require.Equal(t, 1, own.Run.Repetitions)
	}
	cluster.requireAnotherRun(t, controller)
}

// TestInterrupted_beforeTheRun interrupts a controller that waits: for agents, or until they are
// ready.
func TestInterrupted_beforeTheRun(t *testing.T) {
	for _, agents := range []int{1, 2} {
		cluster := newTestCluster(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		started := make(chan struct{}, 2)
		cluster.agent(t, "a1", func(o *AgentOptions) {
			o.work = func(_ *job, ctx context.Context) error {
				started <- struct{}{}
				<-ctx.Done()
				return context.Cause(ctx)
			}
		})
		controller := cluster.controller(t, Options{Agents: agents, Lease: maxLease, Wait: time.Hour})
		if agents == 1 {
			go func() { <-started; cancel() }()
		} else {
			controller.Note = func(string) { cancel() } // it says that it waits
		}
		got, err := attempt(ctx, controller, cluster.options(spec(t)))
		require.ErrorIs(t, err, context.Canceled)
		require.Nil(t, got)
		cluster.requireNothingLeft(t)
		_, err = os.Stat(filepath.Join(cluster.dir, "merged"))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// TestAborted checks that a threshold with abort ends the load of all agents.
func TestAborted(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agents(t, 2)
	controller := cluster.controller(t, Options{Agents: 2, Lease: maxLease})
	s := spec(t, "load.duration=60s", "warmup=0",
		"thresholds=[{threshold: ops/s > 9000000/s in every 100ms for 2 windows, abort: true}]")
	got, err := attempt(t.Context(), controller, cluster.options(s))
	require.NoError(t, err)
	require.Equal(t, results.StatusAborted, got.Run.Status)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	for i, name := range []string{"a1", "a2"} {
		require.Equal(t, results.AgentStopped, got.Run.Agents.List[i].Status)
		require.Equal(t, results.EndedEarly, got.Run.Agents.List[i].Problem)
		require.NotEqual(t, results.StatusRunning, runOf(t, filepath.Join(cluster.dir, name)).Run.Status)
	}
	cluster.requireAnotherRun(t, controller)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// requireFree waits until all agents that are there take part in no run.
func (c *testCluster) requireFree(t *testing.T, controller *Controller, agents int) {
	t.Helper()
	eventually(t, "all agents are free", func() bool {
		all, err := controller.whoIsThere(t.Context())
		return err == nil && len(all) == agents && !slices.ContainsFunc(all, func(i Info) bool { return i.Busy != "" })
	})
}

// TestStart_refuses checks that a run that agents can't do together doesn't begin, says why in one
// line, and leaves all agents free and nothing behind.
func TestStart_refuses(t *testing.T) {
	agents := func(o *AgentOptions) {}
	for _, row := range []struct {
		name   string
		agents int // that there are; 0: two
		want   int // that the run needs; 0: two
		second func(*AgentOptions)
		sets   []string
		err    string // a regular expression
	}{
		{
			name: "another revision", second: func(o *AgentOptions) { o.Revision = "r2" },
			err: `^agent a2 on host-of-a2 refuses: its program is of revision r2, the controller's of r1: use the same$`,
		},
		{
			name: "another client", second: func(o *AgentOptions) { o.Client = "acme" },
			err: `^agent a2 on host-of-a2 refuses: it drives the client acme, the controller's is delivery: use the same program$`,
		},
		{
			name: "another plan", second: func(o *AgentOptions) {
				o.work = func(j *job, ctx context.Context) error {
					j.spec.Seed++
					return j.work(ctx)
				}
			},
			err: `^agent a2 on host-of-a2 has another plan \(digest [0-9a-f]{12}, here [0-9a-f]{12}\)$`,
		},
		{
			name: "another artifact", second: func(o *AgentOptions) {
				o.work = func(j *job, ctx context.Context) error {
					store, err := j.js.ObjectStore(ctx, runName(j.offer.Run))
					if err == nil {
						_, err = store.PutBytes(ctx, artifactObject, []byte("something"))
					}
					return errors.Join(err, j.work(ctx))
				}
			}, sets: []string{"artifact.file"},
			err: `^agent a[12] failed before the first repetition: getting the artifact: ` +
				`9 bytes with SHA-256 [0-9a-f]{64} came: want 2000 with [0-9a-f]{64}$`,
		},
		{
			name: "an agent that can't begin", second: func(o *AgentOptions) { o.Out = os.Args[0] },
			err: `^agent a2 failed before the first repetition: .*: no run directory can be made in it`,
		},
		{
			name: "one more", agents: 3, second: agents,
			err: `^3 agents are there \(a1, a2, a3\) and --agents is 2: end those that are not to take part, or say --agents 3$`,
		},
		{name: "one less", want: 3, second: agents, err: `^2 of 3 agents came within 700ms \(a1, a2\)$`},
		{
			name: "another role", second: func(o *AgentOptions) { o.Role = Driver },
			err: `^1 of 2 agents came within 700ms \(a1\); a2 has the role driver, which this run has no use for$`,
		},
		{
			name: "a rollout", second: agents, sets: []string{"load.model=rollout"},
			err: `^scenario: load.model: rollout with shards: one client leads a rollout through all devices; want another model`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cluster := newTestCluster(t)
			if row.agents == 0 {
				row.agents = 2
			}
			if row.want == 0 {
				row.want = 2
			}
			for i := range row.agents {
				change := agents
				if i == 1 {
					change = row.second
				}
				cluster.agent(t, fmt.Sprintf("a%d", i+1), change)
			}
			controller := cluster.controller(t, Options{Agents: row.want, Lease: maxLease, Wait: 700 * time.Millisecond})
			cluster.requireFree(t, controller, row.agents)
			for i, set := range row.sets {
				if set == "artifact.file" {
					file := filepath.Join(t.TempDir(), "firmware.bin")
					writeRandom(t, file, 2000)
					row.sets[i] = set + "=" + file
				}
			}
			o := cluster.options(spec(t, row.sets...))
			_, err := controller.Start(t.Context(), o)
			require.Error(t, err)
			require.Regexp(t, row.err, err.Error())
			require.NotContains(t, err.Error(), "\n")
			cluster.requireFree(t, controller, row.agents)
			cluster.requireNothingLeft(t)
			require.NoDirExists(t, o.Out)
		})
	}
}

// TestServeAgent_names checks that only one of two agents has a name, and that the other says so.
func TestServeAgent_names(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.agent(t, "a1", nil)
	cluster.said(t, "agent a1 is ready")
	serve := func(host string) <-chan error {
		conn, ended := cluster.connect(t, bus.Agent), make(chan error, 1)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		go func() {
			ended <- ServeAgent(ctx, conn, AgentOptions{Name: host[5:], Host: host})
			close(ended)
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
		})
		return ended
	}
	late := serve("host-a1")
	err := <-late
	require.ErrorIs(t, err, ErrNameTaken)
	require.Regexp(t, `^another agent has this name: a1, on host-of-a1 since .*: give this one another with --name$`, err.Error())

	// Of several that begin at the same moment, one stays.
	var all []<-chan error
	for range 4 {
		all = append(all, serve("host-twin"))
	}
	count := 0
	eventually(t, "three go", func() bool {
		for i, ended := range all {
			select {
			case err := <-ended:
				require.ErrorIs(t, err, ErrNameTaken)
				require.Regexp(t, `^another agent has this name: twin, on host-twin since `, err.Error())
				all[i], count = nil, count+1
			default:
			}
		}
		return count >= 3
	})
	require.Equal(t, 3, count)
	cluster.requireFree(t, cluster.controller(t, Options{Agents: 2}), 2)
}

// TestLateAgent checks that a run is invalid in which an agent began later than the scenario allows,
// and says by how much.
func TestLateAgent(t *testing.T) {
	cluster := newTestCluster(t)
	w := cluster.wire(t)
	cluster.agent(t, "a1", nil)
	cluster.agentAt(t, w.url(), "a2", nil)
	controller := cluster.controller(t, Options{Agents: 2, Lease: time.Minute})
	const late = 700 * time.Millisecond
	o := cluster.options(spec(t, "warmup=0", "repetitions=1", "load.max_skew=200ms"))
	o.Observer = onBegin{func(runner.Repetition) { // all are at the gate, and the start isn't told yet
		w.hold()
		time.AfterFunc(late, w.release)
	}}
	got, err := attempt(t.Context(), controller, o)
	require.NoError(t, err)
	require.False(t, got.Run.Valid)
	require.Regexp(t, `agent a2 began timed repetition 1 [\d.]+m?s after agent a1: want 200ms at most$`, got.Run.Invalid[0])
	require.Len(t, got.Run.Agents.Starts, 1)
	skew := time.Duration(got.Run.Agents.SkewNS)
	require.EqualValues(t, skew, got.Run.Agents.Starts[0].SkewNS)
	require.Greater(t, skew, late/2, "it heard of its start that late")
	require.Greater(t, time.Duration(got.Run.Agents.List[1].StartLateNS), late/2)
	require.Equal(t, results.StatusFinished, got.Run.Status)
}

// A liar claims one success without a request.
type liar struct {
	plain
	lied *atomic.Bool
}

func (l liar) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	if l.lied.CompareAndSwap(false, true) {
		return delivery.Report{}, nil
	}
	return l.plain.Deliver(ctx, d, u)
}

// TestContradiction checks that a run is invalid if the ledger of one agent's fleet contradicts its
// client, and that the run names the agent.
func TestContradiction(t *testing.T) {
	cluster := newTestCluster(t)
	named := func(lied *atomic.Bool) *runner.NamedClient {
		return &runner.NamedClient{Name: "acme", New: func(cfg client.Config) (client.Client, error) {
			return liar{plain{&http.Client{Transport: &http.Transport{DialContext: cfg.Dial}}}, lied}, nil
		}}
	}
	honest := &atomic.Bool{}
	honest.Store(true)
	for name, lied := range map[string]*atomic.Bool{"a1": honest, "a2": {}} {
		cluster.agent(t, name, func(o *AgentOptions) {
			options := o.Options
			o.Client, o.Options = "acme", func() runner.Options {
				of := options()
				of.Client = named(lied)
				return of
			}
		})
	}
	o := cluster.options(spec(t, "warmup=0", "repetitions=1", "load.max_skew=1m"))
	o.Client = named(honest)
	got, err := attempt(t.Context(), cluster.controller(t, Options{Agents: 2}), o)
	require.NoError(t, err)
	require.False(t, got.Run.Valid)
	require.Len(t, got.Run.Invalid, 1)
	require.Contains(t, got.Run.Invalid[0], "a2")
	require.NotContains(t, got.Run.Invalid[0], "a1")
}

// plain is a client that makes the requests of a delivery, and believes every answer.
type plain struct{ http *http.Client }

func (p plain) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	return delivery.Report{Pushes: 1, Verifies: 1}, errors.Join(p.Push(ctx, d, u), p.Verify(ctx, d, u))
}

func (p plain) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Address+"/update", u.Artifact().Reader())
	if err != nil {
		return err
	}
	req.ContentLength = u.Artifact().Size()
	req.Header.Set("X-Update-Version", u.Version())
	return p.do(req)
}

func (p plain) Verify(ctx context.Context, d delivery.Device, _ *delivery.Update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Address+"/version", http.NoBody)
	if err != nil {
		return err
	}
	return p.do(req)
}

func (p plain) do(req *http.Request) error {
	answer, err := p.http.Do(req)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func (p plain) Close() error {
	p.http.CloseIdleConnections()
	return nil
}

// TestFleetsAndDrivers checks that drivers, which are made an offer when the fleets are ready, aren't
// missed before, and that a fleet stays until its driver has ended its part.
func TestFleetsAndDrivers(t *testing.T) {
	cluster := newTestCluster(t)
	network := netip.MustParsePrefix("10.64.0.0/16")
	var fleetGone atomic.Bool
	driving, stopped := make(chan struct{}), make(chan struct{})
	cluster.agent(t, "f1", func(o *AgentOptions) {
		o.Role, o.Network = Fleet, network
		o.work = func(j *job, ctx context.Context) error {
			plan, err := planDigest(j.spec, nil)
			if err != nil {
				return err
			}
			time.Sleep(3 * testLease() / 4) // it takes long to start
			j.update(func(s *agentState) {
				s.Phase, s.Ready = ready, &readiness{Plan: plan, Fleet: &fleetAddress{Address: "there"}}
			})
			<-ctx.Done()
			fleetGone.Store(true)
			return nil
		}
	})
	cluster.agent(t, "d1", func(o *AgentOptions) {
		o.Role = Driver
		o.work = func(j *job, ctx context.Context) error {
			if j.offer.Fleet == nil || j.offer.Fleet.Address != "there" {
				return errors.New("there is no fleet")
			}
			plan, err := planDigest(j.spec, nil)
			if err != nil {
				return err
			}
			j.update(func(s *agentState) { s.Phase, s.Ready = ready, &readiness{Plan: plan} })
			close(driving)
			<-ctx.Done()
			_, err = j.await(context.Background(), func(s controllerState) bool { return s.Stop != "" })
			if fleetGone.Load() {
				err = errors.New("the fleet is gone")
			}
			close(stopped)
			return errors.Join(err, context.Cause(ctx))
		}
	})
	controller := cluster.controller(t, Options{Agents: 1, Lease: testLease() / 2, Network: network})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := controller.Start(ctx, cluster.options(spec(t)))
	require.NoError(t, err)
	<-driving
	cancel()
	got, err := r.Measure(ctx)
	<-stopped
	require.NoError(t, err)
	require.False(t, fleetGone.Load(), "until the run is over")
	require.Equal(t, results.AgentStopped, got.Run.Agents.List[0].Status)
	require.NoError(t, r.Finish(results.Invalid))
	cluster.requireFree(t, controller, 2)
	require.True(t, fleetGone.Load())
}

// An answered message notes how it was answered.
type answeredMessage struct {
	resultMessage
	naks, acks *int
}

func (m answeredMessage) Ack() error                       { *m.acks++; return nil }
func (m answeredMessage) NakWithDelay(time.Duration) error { *m.naks++; return nil }

// TestResultsOutOfOrder checks that a message that NATS delivers before an earlier one is taken later.
func TestResultsOutOfOrder(t *testing.T) {
	s := spec(t)
	m := &member{Info: named("a"), next: 1}
	r := &session{c: &Controller{}, shape: runner.PortionShape(s), byName: map[string]*member{"a": m}}
	naks, acks := 0, 0
	deliver := func(number string) {
		r.handle(event{agent: "a", result: jetstream.Msg(answeredMessage{resultMessage{
			header: nats.Header{kindHeader: {intervalsKind}, countHeader: {number}, lastHeader: {"1"}}, data: []byte("[]"),
		}, &naks, &acks})})
	}
	for _, step := range []struct {
		number     string
		naks, acks int
		gap        bool
	}{
		{"2", 1, 0, true}, {"3", 2, 0, true}, {"1", 2, 1, false}, {"3", 3, 1, true}, {"2", 3, 2, false}, {"3", 3, 3, false},
		{"2", 3, 4, false}, // once more
	} {
		deliver(step.number)
		require.Equal(t, []int{step.naks, step.acks}, []int{naks, acks}, step.number)
		require.Equal(t, step.gap, !m.gap.IsZero())
		require.NoError(t, r.failure)
	}
	require.EqualValues(t, 4, m.next)
	m.state.Phase, m.state.Results = ended, 4
	require.False(t, m.done(), "a message is on its way")
	deliver("4")
	require.True(t, m.done())
	require.True(t, strings.HasPrefix(r.when(), "before the first"))
}

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A testCluster is a NATS server with agents in this process.
type testCluster struct {
	server *bus.Server
	keys   string // directory of the keys; empty if there are none
	dir    string // in which agents and controller make their run directories
	notes  *lines
	errors *lines // what the server forbade
}

// lines collects lines; it is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list...)
}

func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	return newTestClusterWith(t, bus.ServerOptions{Listen: "127.0.0.1:0", Store: t.TempDir()})
}

func newTestClusterWith(t *testing.T, o bus.ServerOptions) *testCluster {
	t.Helper()
	s, err := bus.Serve(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &testCluster{server: s, keys: o.Keys, dir: t.TempDir(), notes: &lines{}, errors: &lines{}}
}

// connect returns a connection that is closed at the test's end.
func (c *testCluster) connect(t *testing.T, role bus.Role) *nats.Conn {
	t.Helper()
	return c.connectTo(t, c.server.URL(), role)
}

// connectTo returns a connection to the server by another way, such as a wire.
func (c *testCluster) connectTo(t *testing.T, url string, role bus.Role) *nats.Conn {
	t.Helper()
	conn, err := bus.Connect(t.Context(), bus.ConnectOptions{
		URL: url, Keys: c.keys, Role: role, Name: string(role), OnError: func(err error) { c.errors.add(err.Error()) },
	})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// agent starts an agent whose options change may change. It ends with the test, or by end.
func (c *testCluster) agent(t *testing.T, name string, change func(*AgentOptions)) (end func() error) {
	t.Helper()
	return c.agentAt(t, c.server.URL(), name, change)
}

// agentAt starts an agent that connects to a URL.
func (c *testCluster) agentAt(t *testing.T, url, name string, change func(*AgentOptions)) (end func() error) {
	t.Helper()
	o := AgentOptions{
		Name: name, Host: "host-of-" + name, Out: filepath.Join(c.dir, name), Revision: "r1", Client: "delivery",
		Machine: results.Machine{Cores: 2, GOMAXPROCS: 2, Identity: "machine-of-" + name},
		Options: func() runner.Options { return runner.Options{Target: target.Options{Address: target.InProcess}} },
		Note:    func(line string) { c.notes.add(name + ": " + line) },
	}
	if change != nil {
		change(&o)
	}
	conn := c.connectTo(t, url, bus.Agent)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- ServeAgent(ctx, conn, o) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = end() })
	return end
}

// agents starts n agents, a1 to an.
func (c *testCluster) agents(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		c.agent(t, fmt.Sprintf("a%d", i+1), nil)
	}
}

func (c *testCluster) controller(t *testing.T, o Options) *Controller {
	t.Helper()
	if o.Lease == 0 {
		o.Lease = 2 * time.Second
	}
	return c.controllerOn(t, c.connect(t, bus.Controller), o)
}

// controllerOn returns a controller with a connection.
func (c *testCluster) controllerOn(t *testing.T, conn *nats.Conn, o Options) *Controller {
	t.Helper()
	o.Host, o.Note = "here", func(line string) { c.notes.add("controller: " + line) }
	controller, err := NewController(t.Context(), conn, o)
	require.NoError(t, err)
	return controller
}

// spec returns a small scenario with the changes in sets, each KEY=VALUE.
func spec(t *testing.T, sets ...string) scenarios.Spec {
	t.Helper()
	s := scenarios.Default()
	s.Name = "small"
	for _, set := range append([]string{
		"fleet.devices=50", "artifact.size=1KiB", "repetitions=2", "warmup=1", "profiled=0", "load.workers=8",
	}, sets...) {
		require.NoError(t, s.Set(set), set)
	}
	return s
}

// options returns the options of a run of a scenario.
func (c *testCluster) options(s scenarios.Spec) runner.Options {
	return runner.Options{
		Spec: s, Out: filepath.Join(c.dir, "merged"), Command: "fleetmark run small --agents", Revision: "r1",
		Machine: results.Machine{Cores: 2, GOMAXPROCS: 2, Identity: "machine-of-controller"},
	}
}

// run does a run, and returns it as its directory has it.
func run(t *testing.T, c *Controller, o runner.Options) (*rundir.Loaded, error) {
	t.Helper()
	r, err := c.Start(t.Context(), o)
	require.NoError(t, err)
	result, failed := r.Measure(t.Context())
	v := results.Pass
	if !result.Run.Valid {
		v = results.Invalid
	}
	require.NoError(t, r.Finish(v))
	loaded, err := rundir.Load(result.Directory)
	require.NoError(t, err)
	return loaded, failed
}

func TestRunWithAgents(t *testing.T) {
	for _, sets := range [][]string{
		{},
		{"load.model=constant", "load.rate=200/s", "load.duration=1s", "load.operation=push"},
		{"load.model=poisson", "load.rate=300/s"},
		{"load.duration=300ms", "load.operation=verify"},
	} {
		for _, agents := range []int{1, 3} {
			t.Run(fmt.Sprint(agents, sets), func(t *testing.T) {
				cluster := newTestCluster(t)
				cluster.agents(t, agents)
				got, err := run(t, cluster.controller(t, Options{Agents: agents}),
					cluster.options(spec(t, append(sets, "load.max_skew=1m")...)))
				require.NoError(t, err)
				require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
				require.Equal(t, results.StatusFinished, got.Run.Status)
				require.Equal(t, results.Counts{Devices: 50, Updated: 50}, got.Run.Counts)
				require.Equal(t, 2, got.Run.Repetitions)
				require.Len(t, got.Run.Agents.List, agents)
				devices := 0
				for i, a := range got.Run.Agents.List {
					require.Equal(t, fmt.Sprintf("a%d", i+1), a.Name)
					require.Equal(t, results.AgentFinished, a.Status)
					own, err := rundir.Load(filepath.Join(cluster.dir, a.Name, a.Directory))
					require.NoError(t, err)
					require.Equal(t, results.StatusFinished, own.Run.Status)
					require.Equal(t, a.Devices, own.Run.Counts.Updated)
					devices += a.Devices
				}
				require.Equal(t, 50, devices)
				require.Len(t, got.Run.Agents.Starts, 3, "a warm-up and two timed repetitions")
			})
		}
	}
}

// TestRunWithAgents_client checks that a merged run names the client that its agents drive.
func TestRunWithAgents_client(t *testing.T) {
	own := &runner.NamedClient{Name: "own", New: func(client.Config) (client.Client, error) {
		c, err := delivery.New(delivery.Config{})
		return waitingClient{c, 0, &pushTimes{}}, err
	}}
	for _, named := range []*runner.NamedClient{nil, own} {
		cluster := newTestCluster(t)
		cluster.agent(t, "a1", func(o *AgentOptions) {
			options := o.Options()
			options.Client = named
			o.Client, o.Options = ClientName(options), func() runner.Options { return options }
		})
		o := cluster.options(spec(t, "load.operation=push", "repetitions=1", "warmup=0"))
		o.Client = named
		got, err := run(t, cluster.controller(t, Options{Agents: 1}), o)
		require.NoError(t, err)
		agents := runOf(t, filepath.Join(cluster.dir, "a1"))
		require.Equal(t, ClientName(o), got.Run.Client.Name)
		require.Equal(t, agents.Run.Client, got.Run.Client)
		require.Equal(t, agents.Run.Transport, got.Run.Transport)
	}
}

// TestStart_refusesItsOptions checks that nobody is waited for if the run can't begin anyway.
func TestStart_refusesItsOptions(t *testing.T) {
	cluster := newTestCluster(t)
	c := cluster.controller(t, Options{Agents: 2, Wait: time.Hour, Network: netip.MustParsePrefix("10.64.0.0/26")})
	_, err := c.Start(t.Context(), cluster.options(spec(t, "fleet.devices=100")))
	require.ErrorContains(t, err, "cut into 2 it holds 60 devices in 2 shards, not 100")

	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	c.Network = netip.Prefix{}
	_, err = c.Start(ctx, cluster.options(spec(t)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func jetStream(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

// writeRandom writes a file with so many bytes that nothing can compress.
func writeRandom(t *testing.T, path string, bytes int) {
	t.Helper()
	b := make([]byte, bytes)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

package cluster

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/agents"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A waitingClient waits before each push, as if the way to the devices were long, and keeps when
// each began and ended. Only one operation runs at a time.
type waitingClient struct {
	inner *delivery.Client
	wait  time.Duration
	times *pushTimes
}

// pushTimes are when the pushes of an agent began and ended.
type pushTimes struct {
	mu    sync.Mutex
	spans [][2]time.Time
}

func (c waitingClient) Push(ctx context.Context, d client.Device, u *client.Update) error {
	began := time.Now()
	timer := time.NewTimer(c.wait)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	err := c.inner.Push(ctx, d, u)
	c.times.mu.Lock()
	defer c.times.mu.Unlock()
	c.times.spans = append(c.times.spans, [2]time.Time{began, time.Now()})
	return err
}

func (c waitingClient) Verify(ctx context.Context, d client.Device, u *client.Update) error {
	return c.inner.Verify(ctx, d, u)
}

func (c waitingClient) Close() error {
	c.inner.Close()
	return nil
}

// bounds adds two times for each push that what the run measured of it lies between: the push
// itself, and the time from the end of the one before to the begin of the next one. Nothing bounds
// the first and the last one.
func (p *pushTimes) bounds(least, most []float64) (_, _ []float64) {
	for i, of := range p.spans {
		least = append(least, float64(of[1].Sub(of[0])))
		if i == 0 || i == len(p.spans)-1 {
			most = append(most, math.Inf(1))
		} else {
			most = append(most, float64(p.spans[i+1][0].Sub(p.spans[i-1][1])))
		}
	}
	return least, most
}

// p99 returns the nearest-rank 99th percentile.
func p99(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Ceil(0.99*float64(len(sorted))))-1]
}

// TestASlowAgent checks the p99 of a run one of whose agents is ten times slower than the others:
// it is that of all operations, not a mean of the agents', and the report says which agent it is.
func TestASlowAgent(t *testing.T) {
	testenv.Slow(t)
	const devices, slow = 700, 1 // the 7 slowest operations are more than the 6 that have no bound
	cluster := newTestCluster(t)
	named := &runner.NamedClient{Name: "waiting"}
	var all []*pushTimes
	for i, name := range []string{"a1", "a2", "a3"} {
		times, wait := &pushTimes{}, 4*time.Millisecond
		if i == slow {
			wait *= 10
		}
		all = append(all, times)
		cluster.agent(t, name, func(o *AgentOptions) {
			o.Client = named.Name
			options := o.Options()
			options.Client = &runner.NamedClient{Name: named.Name, New: func(cfg client.Config) (client.Client, error) {
				c, err := delivery.New(delivery.Config{})
				return waitingClient{c, wait, times}, err
			}}
			o.Options = func() runner.Options { return options }
		})
	}
	o := cluster.options(spec(t, "load.operation=push", "load.workers=3", "repetitions=1", "warmup=0", "load.max_skew=1m"))
	o.Spec.Fleet.Devices, o.Client = devices, named
	got, err := run(t, cluster.controller(t, Options{Agents: 3}), o)
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)

	var least, most []float64
	mean, ofFast := 0.0, 4*time.Millisecond
	for i, times := range all {
		own, _ := times.bounds(nil, nil)
		mean += p99(own) / 3
		if i != slow {
			ofFast = max(ofFast, time.Duration(p99(own)))
		}
		least, most = times.bounds(least, most)
	}
	require.Len(t, least, devices)
	merged := p99Of(t, got)
	const resolution = 0.001 // of the histogram
	require.GreaterOrEqual(t, merged, p99(least)*(1-resolution))
	require.LessOrEqual(t, merged, p99(most)*(1+resolution))
	t.Logf("p99 %v of all: between %v and %v; the mean of the agents' is %v", time.Duration(merged),
		time.Duration(p99(least)), time.Duration(p99(most)), time.Duration(mean))
	if ofFast > 20*time.Millisecond {
		t.Skipf("the machine is so busy that the p99 of a fast agent is %v: nothing can be said about the slow one", ofFast)
	}
	require.Greater(t, merged, 1.2*mean, "the mean of the agents'")

	off := got.Run.Agents.Off()
	require.Len(t, off, 1)
	require.Equal(t, "a2", off[0].Name)
	require.Equal(t, results.MeasureP99, off[0].Reasons[0].Measure)
	require.Regexp(t, "^Agent a2 is off: its p99 ", agents.New(got.Run.Agents, 0).Sentences[0])

	own, err := rundir.Load(filepath.Join(cluster.dir, "a2", got.Run.Agents.List[slow].Directory))
	require.NoError(t, err)
	require.InEpsilon(t, p99Of(t, own), got.Run.Agents.List[slow].P99NS, resolution)
}

// p99Of returns the 99th percentile of the pushes of a run with one repetition.
func p99Of(t *testing.T, r *rundir.Loaded) float64 {
	t.Helper()
	for _, record := range r.Records {
		if v, ok := record.Value("p99-ns/op"); ok {
			return v
		}
	}
	require.Fail(t, "no p99")
	return 0
}

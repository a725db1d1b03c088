package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A simulation is a run with agents that drive no devices: they say that they did. Everything else
// is real: the connections, the protocol, and the controller, which is in a process of its own.
type simulation struct {
	Agents  int
	Seconds int // that the load lasts, with an interval each
	Dir     string
	URL     string // of the controller's server
}

// How much there is in an interval, which makes it some 4 KB, and of the fleet.
const (
	simulatedOperations = 2000 // of an agent in a second
	simulatedDevices    = 10   // of an agent
)

// The environment variables that make this test's program the controller of a simulation, or all of
// its agents. The value is the simulation as JSON.
const (
	asSimulatedController = "FLEETMARK_TEST_SIMULATED_CONTROLLER"
	asSimulatedAgents     = "FLEETMARK_TEST_SIMULATED_AGENTS"
)

// simulationVariable names the environment variable with the size of the simulation, such as
// 1100x60 for 1,100 agents and a minute.
const simulationVariable = "FLEETMARK_TEST_SIMULATION"

// A simulationCost is what the controller's process took, with the embedded server.
type simulationCost struct {
	Ready     time.Duration // from when all agents are there until all are ready
	ReadyCPU  time.Duration // processor time until then
	ReadyPeak uint64        // resident memory at most until then, in bytes
	Run       time.Duration // from then until all agents have ended
	RunCPU    time.Duration
	Peak      uint64 // of all

	States, Results uint64 // messages of agents during the run
}

func (s simulation) spec() scenarios.Spec {
	spec := scenarios.Default()
	spec.Name = "simulated"
	spec.Fleet.Devices = s.Agents * simulatedDevices
	spec.Load = scenarios.LoadSpec{
		Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: scenarios.Rate(s.Agents * simulatedOperations),
		Duration: scenarios.Duration(time.Duration(s.Seconds) * time.Second), MaxSkew: scenarios.Duration(time.Minute),
	}
	spec.Repetitions, spec.Warmup, spec.Profiled = 1, 0, 0
	return spec
}

// TestManyAgents does a run with more agents than anybody has machines, and says what the
// controller pays for it.
func TestManyAgents(t *testing.T) {
	testenv.Slow(t)
	testenv.SlowRaced(t)
	s := simulation{Agents: 200, Seconds: 5, Dir: t.TempDir()}
	if testenv.Long() {
		s.Agents, s.Seconds = 1100, 60
	}
	if size := os.Getenv(simulationVariable); size != "" {
		_, err := fmt.Sscanf(size, "%dx%d", &s.Agents, &s.Seconds)
		require.NoError(t, err, "%s=%s: want a size such as 1100x60", simulationVariable, size)
	}
	controller := s.start(t, asSimulatedController)
	lines := bufio.NewReader(controller.stdout)
	require.NoError(t, json.Unmarshal(readLine(t, lines, controller), &s.URL))
	agents := s.start(t, asSimulatedAgents)
	var cost simulationCost
	require.NoError(t, json.Unmarshal(readLine(t, lines, controller), &cost))
	require.NoError(t, controller.Wait(), "%s", controller.said)
	require.NoError(t, agents.Wait(), "%s", agents.said)

	dirs, err := filepath.Glob(filepath.Join(s.Dir, "*", rundir.RunFile))
	require.NoError(t, err)
	require.Len(t, dirs, 1)
	got, err := rundir.Load(filepath.Dir(dirs[0]))
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	devices := s.Agents * simulatedDevices
	require.Equal(t, results.Counts{Devices: devices, Updated: devices}, got.Run.Counts)
	require.EqualValues(t, s.Agents*s.Seconds*simulatedOperations, got.Run.Operations[0].Succeeded)
	require.Len(t, got.Run.Agents.List, s.Agents)
	for _, a := range got.Run.Agents.List {
		require.Equal(t, results.AgentFinished, a.Status, a.Name)
	}
	size := len(portion.NewIntervalWriter().Append(nil, s.interval(0), nil))
	skew := time.Duration(got.Run.Agents.SkewNS)
	t.Logf("%d agents, %d s, an interval of %d bytes a second; ready after %v with %v of processor time and %d MiB; "+
		"then in %v %v of processor time, %.2f cores, peak %d MiB; %d states and %d results came; skew %v; "+
		"the agents' process took %v of processor time",
		s.Agents, s.Seconds, size, cost.Ready, cost.ReadyCPU, cost.ReadyPeak>>20,
		cost.Run, cost.RunCPU, cost.RunCPU.Seconds()/cost.Run.Seconds(), cost.Peak>>20, cost.States, cost.Results, skew,
		agents.ProcessState.UserTime()+agents.ProcessState.SystemTime())
}

// A simulationProcess is this test's program as somebody else.
type simulationProcess struct {
	*exec.Cmd
	stdout io.Reader
	said   *lines // on standard error
}

// Write takes what the process says on standard error.
func (l *lines) Write(p []byte) (int, error) {
	l.add(string(p))
	return len(p), nil
}

func (s simulation) start(t *testing.T, as string) *simulationProcess {
	t.Helper()
	own, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	p := &simulationProcess{Cmd: exec.CommandContext(t.Context(), own), said: &lines{}}
	p.Env = append(os.Environ(), as+"="+string(text))
	p.Stderr = p.said
	p.stdout, err = p.StdoutPipe()
	require.NoError(t, err)
	_, err = p.StdinPipe() // closed when this process has ended, however it ends; see endWithParent
	require.NoError(t, err)
	require.NoError(t, p.Start())
	return p
}

func readLine(t *testing.T, r *bufio.Reader, p *simulationProcess) []byte {
	t.Helper()
	line, err := r.ReadBytes('\n')
	if err != nil {
		require.NoError(t, errors.Join(err, p.Wait()), "%s", p.said.all())
	}
	return line
}

// endWithParent ends this process when its standard input ends.
func endWithParent() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}

// simulateController is the controller of a simulation. It prints its server's URL, and at the end
// what it cost.
func simulateController(text string) (err error) {
	endWithParent()
	var s simulation
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	ctx := context.Background()
	server, err := bus.Serve(bus.ServerOptions{Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	note := func(err error) { fmt.Fprintln(os.Stderr, err) }
	conn, err := server.Connect(ctx, bus.ConnectOptions{Role: bus.Controller, Name: "controller", OnError: note})
	if err != nil {
		return err
	}
	defer conn.Close()
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(server.URL()); err != nil {
		return err
	}
	c, err := NewController(ctx, conn, Options{Agents: s.Agents, Wait: 2 * time.Minute})
	if err != nil {
		return err
	}
	if _, err := c.gather(ctx, newJoinView(runner.Options{}, s.spec())); err != nil { // not to measure how agents connect
		return err
	}
	var cost simulationCost
	cpu, began := osinfo.ProcessorTime(), time.Now()
	r, err := c.Start(ctx, runner.Options{Spec: s.spec(), Out: s.Dir})
	if err != nil {
		return err
	}
	cost.Ready, cost.ReadyCPU, cost.ReadyPeak = time.Since(began), osinfo.ProcessorTime()-cpu, osinfo.PeakResident()
	cpu, began = osinfo.ProcessorTime(), time.Now()
	before := conn.Stats().InMsgs
	_, failed := r.Measure(ctx)
	cost.Run, cost.RunCPU, cost.Peak = time.Since(began), osinfo.ProcessorTime()-cpu, osinfo.PeakResident()
	for _, m := range r.r.members {
		cost.Results += m.next - 1
	}
	cost.States = conn.Stats().InMsgs - before - cost.Results
	if err := errors.Join(failed, r.Finish(results.Pass)); err != nil {
		return err
	}
	return encoder.Encode(cost)
}

// simulateAgents is all agents of a simulation.
func simulateAgents(text string) error {
	endWithParent()
	var s simulation
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	work, err := s.prepare()
	if err != nil {
		return err
	}
	errs := make([]error, s.Agents)
	places := make(chan struct{}, 64) // of those that connect at the same time
	var all sync.WaitGroup
	for i := range s.Agents {
		all.Go(func() {
			name := fmt.Sprintf("agent-%04d", i)
			places <- struct{}{}
			conn, err := bus.Connect(context.Background(), bus.ConnectOptions{
				URL: s.URL, Role: bus.Agent, Name: name, OnError: func(err error) { fmt.Fprintln(os.Stderr, name, err) },
			})
			<-places
			if err != nil {
				errs[i] = err
				return
			}
			defer conn.Close()
			errs[i] = ServeAgent(context.Background(), conn, AgentOptions{
				Name: name, Host: "simulated", Client: "delivery", Runs: 1, work: work,
				Machine: results.Machine{Cores: 2, GOMAXPROCS: 2, Identity: "simulated"},
			})
		})
	}
	all.Wait()
	return firstErrors(errs)
}

// interval returns the interval of an agent that begins after so many seconds.
func (s simulation) interval(second int) *load.Interval {
	shape := runner.PortionShape(s.spec())
	return &load.Interval{
		Start: time.Duration(second) * time.Second, End: time.Duration(second+1) * time.Second,
		Planned: simulatedOperations, Sent: simulatedOperations, Succeeded: simulatedOperations,
		Plan: time.Duration(s.Seconds) * time.Second, Last: second+1 == s.Seconds,
		Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: simulatedTimes(shape)}},
	}
}

// simulatedTimes returns the times of an interval, whose mean is a millisecond.
func simulatedTimes(shape portion.Shape) *load.Latencies {
	rng := rand.New(rand.NewPCG(1, 2))
	l := load.NewLatencies(shape.Planned, shape.Longest)
	for range simulatedOperations {
		service := time.Duration(1e6 * rng.ExpFloat64())
		l.Add(service+time.Duration(1e5*rng.ExpFloat64()), service)
	}
	return l
}

// prepare returns the work of an agent. What all agents send alike is made once, so that a thousand
// of them fit into a process.
func (s simulation) prepare() (worker, error) {
	spec := s.spec()
	shape := runner.PortionShape(spec)
	key := repetitionKey{runner.Timed, 1}
	writer := portion.NewIntervalWriter()
	times := load.NewLatencies(shape.Planned, shape.Longest)
	late := load.NewLateness(shape.Longest)
	var intervals [][]byte
	for second := range s.Seconds {
		v := s.interval(second)
		times.Merge(v.Times[0].Latencies)
		for range simulatedOperations {
			late.Add(v.Start, v.Start, false)
		}
		intervals = append(intervals, encode(intervalMessage{key, writer.Append(nil, v, nil)}))
	}
	e, n := portion.NewEncoder(), int64(s.Seconds*simulatedOperations)
	p := portion.Portion{
		Phase: string(key.Phase), Number: key.Number, ElapsedNS: int64(s.Seconds) * 1e9,
		Operations: results.Operations{
			Planned: n, Started: n, Succeeded: n, EndedInPlan: n, SucceededInPlan: n, PlanNS: int64(s.Seconds) * 1e9,
		},
		Workers: 8, InFlightPeak: 8, MeanBusyNS: 1e6, LongestNS: int64(shape.Longest),
		Times:    e.Times(shape.Ops, map[delivery.Op]*load.Latencies{delivery.OpPush: times}),
		Lateness: e.Lateness(late), FailedTimes: e.Histogram(hdr.New(shape.Longest)),
		Usage:  portion.Usage{CPUNS: 1e9, PeakResident: 100 << 20},
		Counts: results.Counts{Devices: simulatedDevices, Updated: simulatedDevices},
	}
	text := encode(p)
	return func(j *job, ctx context.Context) error {
		plan, err := planDigest(j.spec, nil)
		if err != nil {
			return err
		}
		if err := j.measureOffset(ctx, firstExchanges); err != nil {
			return err
		}
		o := j.offset
		j.update(func(s *agentState) {
			s.Phase = ready
			s.Ready = &readiness{
				Plan: plan, Artifact: "simulated", Offset: int64(o.theirs), Error: int64(o.within), Run: "simulated", Devices: simulatedDevices,
			}
		})
		// As the gate does it, but without its busy wait: a thousand of them would keep the processors
		// from each other.
		j.update(func(s *agentState) { s.Phase, s.AtGate, s.Armed = running, key, 0 })
		at, err := j.await(ctx, func(s controllerState) bool { return s.Repetition == key && s.Start != 0 })
		if err != nil {
			return err
		}
		j.update(func(a *agentState) { a.Armed = at.Start })
		start := j.agent.clock.moment(at.Start - int64(o.theirs))
		if err := waitUntil(ctx, start); err != nil {
			return err
		}
		began, within := j.controllersTime(time.Now())
		for second, v := range intervals {
			if err := waitUntil(ctx, start.Add(time.Duration(second+1)*time.Second)); err != nil {
				return err
			}
			j.out.addInterval(func(dst []byte) []byte { return append(dst, v...) })
		}
		j.out.add(portionKind, encode(portionMessage{key, began, within, text}))
		j.update(func(s *agentState) { s.Status = string(results.StatusFinished) })
		return nil
	}, nil
}

// waitUntil waits until a moment, or until ctx ends.
func waitUntil(ctx context.Context, moment time.Time) error {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/internal/testnet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// The machines of these tests: the controller's, which is also the switch, four for agents, and one
// of somebody who has no keys. RFC 2544 sets 198.18.0.0/15 aside for measuring.
const (
	controllerHost = "198.18.0.1"
	listenAddress  = controllerHost + ":4242"
	strangerHost   = "198.18.0.99"
	agentMachines  = 4
	deviceNetwork  = "10.64.0.0/16"
)

func agentHost(i int) string { return fmt.Sprintf("198.18.0.%d", 11+i) }

// A machinePark is the machines, with the program and the keys.
type machinePark struct {
	dir        string // the working directory of all programs
	program    string
	controller *testnet.Machine
	agents     []*testnet.Machine
	stranger   *testnet.Machine
}

func newMachinePark(t *testing.T) *machinePark {
	t.Helper()
	p := &machinePark{dir: t.TempDir(), controller: testnet.New(t, "controller"), stranger: testnet.New(t, "stranger")}
	p.controller.IP(t, "link", "add", "switch", "type", "bridge")
	p.controller.IP(t, "address", "add", controllerHost+"/24", "dev", "switch")
	p.controller.IP(t, "link", "set", "switch", "up")
	plug := func(m *testnet.Machine, port, host string) {
		p.controller.Link(t, port, m, "network")
		p.controller.IP(t, "link", "set", port, "master", "switch")
		m.IP(t, "address", "add", host+"/24", "dev", "network")
	}
	plug(p.stranger, "stranger", strangerHost)
	for i := range agentMachines {
		m := testnet.New(t, fmt.Sprintf("agent%d", i+1))
		plug(m, fmt.Sprintf("agent%d", i+1), agentHost(i))
		p.agents = append(p.agents, m)
	}
	p.program = filepath.Join(t.TempDir(), "fleetmark")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.program, "../../cmd/fleetmark").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// Each machine has the keys that it needs, and no others.
	all := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, bus.MakeKeys(all, bus.KeyOptions{Hosts: []string{controllerHost}}))
	for _, role := range []bus.Role{bus.Controller, bus.Agent} {
		dir := p.keys(role)
		require.NoError(t, os.Mkdir(dir, 0o700))
		for _, name := range bus.Bundle(role) {
			text, err := os.ReadFile(filepath.Join(all, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
		}
	}
	return p
}

// keys returns the directory with the keys of a role.
func (p *machinePark) keys(role bus.Role) string {
	return filepath.Join(p.dir, "keys-of-"+string(role))
}

// on returns a command that runs on a machine.
func (p *machinePark) on(ctx context.Context, m *testnet.Machine, command ...string) *exec.Cmd {
	cmd := m.Command(ctx, command...)
	cmd.Dir = p.dir
	return cmd
}

// agent starts an agent, which ends with the test. Its run directories are in the directory of its
// name.
func (p *machinePark) agent(t *testing.T, machine int, flags ...string) {
	t.Helper()
	name := fmt.Sprintf("a%d", machine+1)
	cmd := p.on(context.WithoutCancel(t.Context()), p.agents[machine],
		append([]string{p.program, "agent", "--join", listenAddress,
			"--keys", p.keys(bus.Agent), "--name", name, "--out", name}, flags...)...)
	said := &bytes.Buffer{}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, cmd.Process.Signal(os.Interrupt))
		assert.NoError(t, cmd.Wait(), "%s", said)
		if t.Failed() {
			t.Logf("agent %s: %s", name, said)
		}
	})
}

// run does runs on the controller's machine, and returns them in the order of the scenarios.
func (p *machinePark) run(t *testing.T, args ...string) (runs []*rundir.Loaded) {
	t.Helper()
	cmd := p.on(t.Context(), p.controller, append([]string{p.program, "run", "--json", "--no-progress"}, args...)...)
	said := &bytes.Buffer{}
	cmd.Stderr = said
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, said)
	for line := range bytes.Lines(out) {
		var o struct{ Run string }
		require.NoError(t, json.Unmarshal(line, &o), "%s", line)
		loaded, err := rundir.Load(filepath.Join(p.dir, o.Run))
		require.NoError(t, err)
		require.True(t, loaded.Run.Valid, "%v", loaded.Run.Invalid)
		require.Equal(t, results.StatusFinished, loaded.Run.Status)
		runs = append(runs, loaded)
	}
	return runs
}

// withAgents returns the flags of a run with so many agents.
func (p *machinePark) withAgents(n int, more ...string) []string {
	return append([]string{"--agents", fmt.Sprint(n), "--cluster-listen", listenAddress, "--keys", p.keys(bus.Controller),
		"--out", "merged"}, more...)
}

// requireSums checks that the histograms of a merged run are the sums of those of its agents, to
// the last bucket, and that they have the time of each device that was updated.
func (p *machinePark) requireSums(t *testing.T, merged *rundir.Loaded) {
	t.Helper()
	sum := map[string]*hdrhistogram.Histogram{}
	for _, a := range merged.Run.Agents.List {
		if a.Role != results.RoleFleet {
			addHistograms(t, sum, filepath.Join(p.dir, a.Name, a.Directory, rundir.LatencyFile))
		}
	}
	got := map[string]*hdrhistogram.Histogram{}
	addHistograms(t, got, filepath.Join(merged.Path, rundir.LatencyFile))
	require.NotEmpty(t, sum)
	require.Len(t, got, len(sum))
	for tag, want := range sum {
		require.Contains(t, got, tag)
		require.Equal(t, want.Export(), got[tag].Export(), tag)
	}
	require.EqualValues(t, merged.Run.Counts.Updated, got["deliver"].TotalCount())
}

// addHistograms adds the histograms of a log to those with the same tag.
func addHistograms(t *testing.T, sum map[string]*hdrhistogram.Histogram, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for r := hdrhistogram.NewHistogramLogReader(f); ; {
		h, err := r.NextIntervalHistogram()
		require.NoError(t, err, path)
		if h == nil {
			return
		}
		if sum[h.Tag()] == nil {
			sum[h.Tag()] = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), int(h.SignificantFigures()))
		}
		require.Zero(t, sum[h.Tag()].Merge(h), "times that the sum has no bucket for")
	}
}

// failedDevices returns a line for each device that failed, in their order: the lines of
// failures.jsonl without the device's address, which may also be in the error.
func failedDevices(t *testing.T, dir string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.FailuresFile))
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var f runner.Failure
		require.NoError(t, json.Unmarshal(line, &f))
		f.Address, f.Error = "", ""
		line, err := json.Marshal(f)
		require.NoError(t, err)
		lines = append(lines, fmt.Sprintf("%4d %s", f.Device, line))
	}
	slices.Sort(lines)
	return lines
}

// The scenarios of TestMachines. Much goes wrong in both, and nothing that depends on times. In the
// first, some devices can't be updated; in the second, all can.
const (
	failingScenario = `
name: failing
fleet:
  devices: 160
  behavior:
    faults: [{kind: status-503, share: 20%, first: 2}, {kind: corrupt, share: 8%, first: 1}]
  groups:
  - {name: broken, share: 10%, behavior: {faults: [{kind: status-400, share: 50%}]}}
  - {name: flaky, share: 30%, behavior: {fail_first: 1}}
  - name: liars
    share: 10%
    behavior:
      faults:
      - {kind: ok-but-not-applied, share: 20%, first: 1}
      - {kind: applied-but-lost, share: 30%, first: 1}
      - {kind: wrong-version, share: 10%, first: 1}
` + commonPart
	recoveringScenario = `
name: recovering
fleet:
  devices: 160
  behavior:
    faults: [{kind: status-503, share: 20%, first: 2}, {kind: reset-mid-upload, share: 20%, first: 1, after_bytes: 1000}]
  groups:
  - {name: flaky, share: 30%, behavior: {fail_first: 1}}
  - {name: slow, share: 20%, behavior: {latency: 1ms}}
` + commonPart
	commonPart = `
artifact: {size: 4KiB}
client: {retry_base: 1ms, retry_cap: 1ms}
load: {model: once, operation: deliver, workers: 8, max_skew: 1m}
repetitions: 1
warmup: 0
profiled: 0
`
)

// TestMachines does runs with agents on four machines, and checks that they are what one machine
// does.
func TestMachines(t *testing.T) {
	p := newMachinePark(t)
	scenarios := []string{filepath.Join(p.dir, "failing.yaml"), filepath.Join(p.dir, "recovering.yaml")}
	for i, text := range []string{failingScenario, recoveringScenario} {
		require.NoError(t, os.WriteFile(scenarios[i], []byte(text), 0o600))
	}
	t.Run("both", func(t *testing.T) {
		for i := range p.agents {
			p.agent(t, i)
		}
		seeds := 2
		if testenv.Long() {
			seeds = 10
		}
		for seed := range seeds {
			args := append([]string{"--seed", fmt.Sprint(seed + 1)}, scenarios...)
			alone := p.run(t, append(args, "--out", "alone")...)
			merged := p.run(t, append(args, p.withAgents(agentMachines)...)...)
			require.Len(t, merged, 2)
			for i, got := range merged {
				want := alone[i]
				require.NotEmpty(t, want.Run.Outcomes)
				require.Equal(t, want.Run.Outcomes, got.Run.Outcomes, "seed %d", seed+1)
				require.Equal(t, want.Run.Counts, got.Run.Counts)
				require.Zero(t, got.Run.Counts.Lost)
				require.Zero(t, got.Run.Counts.AppliedTwice)
				require.Len(t, got.Run.Agents.List, agentMachines)
				p.requireSums(t, got)
			}
			failed := failedDevices(t, alone[0].Path)
			require.NotEmpty(t, failed)
			require.Len(t, failed, alone[0].Run.Counts.Failed, "a class with more than 20 isn't all there")
			require.Equal(t, failed, failedDevices(t, merged[0].Path))
			require.Equal(t, results.Counts{Devices: 160, Updated: 160}, merged[1].Run.Counts)
		}
	})
	t.Run("apart", func(t *testing.T) {
		// The first two machines drive the devices on the others, over the network.
		for i := range 2 {
			fleet := p.agents[2+i]
			fleet.IP(t, "route", "add", "local", deviceNetwork, "dev", "lo")
			p.agents[i].IP(t, "route", "add", deviceNetwork, "via", agentHost(2+i))
			p.agent(t, i, "--role", "driver")
			p.agent(t, 2+i, "--role", "fleet", "--device-network", deviceNetwork)
		}
		alone := p.run(t, append(scenarios, "--out", "alone")...)
		merged := p.run(t, append(scenarios, p.withAgents(2, "--device-network", deviceNetwork)...)...)
		for i, got := range merged {
			require.Equal(t, alone[i].Run.Outcomes, got.Run.Outcomes)
			require.Equal(t, alone[i].Run.Counts, got.Run.Counts)
			require.Len(t, got.Run.Agents.List, 4)
			p.requireSums(t, got)
		}
	})
	t.Run("without keys", func(t *testing.T) { p.tryStranger(t) })
}

// TestAMillionOnMachines brings an update to each of a million devices, by four machines.
func TestAMillionOnMachines(t *testing.T) {
	if os.Getenv(millionVariable) == "" {
		t.Skip("it takes minutes and gigabytes; it runs with " + millionVariable + "=1")
	}
	p := newMachinePark(t)
	for i := range p.agents {
		p.agent(t, i)
	}
	began := time.Now()
	got := p.run(t, p.withAgents(agentMachines, "million", "--set", "load.max_skew=1m")...)[0]
	require.Equal(t, results.Counts{Devices: 1_000_000, Updated: 1_000_000}, got.Run.Counts)
	p.requireSums(t, got)
	report, err := p.on(t.Context(), p.controller, p.program, "report", got.Path).CombinedOutput()
	require.NoError(t, err, "%s", report)
	t.Logf("in %v\n%s", time.Since(began).Round(time.Second), report)
}

// millionVariable names the environment variable with which TestAMillionOnMachines runs.
const millionVariable = "FLEETMARK_TEST_MILLION"

// tryStranger checks that somebody without keys, on a machine of the network, is told nothing by a
// controller that waits for agents.
func (p *machinePark) tryStranger(t *testing.T) {
	waiting := p.on(t.Context(), p.controller,
		append([]string{p.program, "run", "--no-progress", "--devices", "10"}, p.withAgents(1)...)...)
	stderr, err := waiting.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, waiting.Start())
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "fleetmark: agents join at "+listenAddress+"\n", line)
	var draining sync.WaitGroup
	draining.Go(func() { _, _ = io.Copy(io.Discard, lines) })

	own, err := os.Executable()
	require.NoError(t, err)
	cmd := p.on(t.Context(), p.stranger, own)
	cmd.Env = append(os.Environ(), asStranger+"="+listenAddress)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "silence: \"\"\nNATS: \"\"\nHTTP: \"\"\nTLS: \"\"\nclient: refused\n", string(out))

	require.NoError(t, waiting.Process.Signal(os.Interrupt))
	draining.Wait()
	require.Error(t, waiting.Wait())
	require.Equal(t, 130, waiting.ProcessState.ExitCode())
}

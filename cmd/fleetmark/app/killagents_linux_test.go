package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

// mortal is a scenario of some two seconds, with an artifact that agents get from the controller.
const mortal = `
name: mortal
fleet: {devices: 40, addressing: path}
artifact: {file: firmware.bin}
load: {workers: 4, duration: 300ms, max_skew: 1m}
repetitions: 3
warmup: 1
profiled: 1
`

// A mortalRun is a run with two agents, whose processes are the test's own: each has the directory of
// the run in its environment.
type mortalRun struct {
	dir    string
	server *bus.Server // that all meet at
	token  string      // of the server
}

func newMortalRun(t *testing.T) *mortalRun {
	t.Helper()
	r := &mortalRun{dir: t.TempDir(), token: "a-token"}
	var err error
	r.server, err = bus.Serve(bus.ServerOptions{Listen: "127.0.0.1:0", Store: t.TempDir(), Token: r.token})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.server.Close()) })
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "mortal.yaml"), []byte(mortal), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "firmware.bin"), bytes.Repeat([]byte("firmware"), 9000), 0o600))
	return r
}

// A clusterProcess is one of a run's that the test started.
type clusterProcess struct {
	cmd    *exec.Cmd
	said   bytes.Buffer
	waited chan struct{} // closed when it has ended
}

// start starts a command of the program.
func (r *mortalRun) start(t *testing.T, args ...string) *clusterProcess {
	t.Helper()
	p := &clusterProcess{cmd: exec.Command(filepath.Join(built, "fleetmark"), args...), waited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stderr = r.dir, &p.said
	p.cmd.WaitDelay = time.Minute // a fleet has its standard error, too
	p.cmd.Env = append(os.Environ(), clusterTokenEnv+"="+r.token, "FLEETMARK_TEST_RUN="+r.dir)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.waited)
		_ = p.cmd.Wait() // the test looks at how it ended
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.waited
	})
	return p
}

func (r *mortalRun) agent(t *testing.T, name string, flags ...string) *clusterProcess {
	t.Helper()
	return r.start(t, append([]string{"agent", "--nats", r.server.URL(), "--name", name, "--out", name}, flags...)...)
}

// controller starts a run, which waits for agents no longer than some seconds.
func (r *mortalRun) controller(t *testing.T, flags ...string) *clusterProcess {
	t.Helper()
	return r.start(t, append([]string{"run", "mortal.yaml", "--agents", "2", "--no-progress", "--lease", "1s",
		"--agents-wait", "5s", "--out", "merged"}, flags...)...)
}

// await waits until a process has ended. What a death may take is twice the lease and what the rest
// takes on a busy machine; only a hang takes so long as this waits.
func (p *clusterProcess) await(t *testing.T, what string) {
	t.Helper()
	select {
	case <-p.waited:
	case <-time.After(time.Minute):
		require.Fail(t, what+" hangs", "%s", &p.said)
	}
}

// processes returns the processes that are left of the run.
func (r *mortalRun) processes(t *testing.T) (left []string) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err == nil && slices.Contains(strings.Split(string(text), "\x00"), "FLEETMARK_TEST_RUN="+r.dir) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline")) // it may have ended
			left = append(left, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return left
}

// runs loads every run directory, and checks that the program can show it.
func (r *mortalRun) runs(t *testing.T) (all []*rundir.Loaded) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != rundir.RunFile || strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".") {
			return err
		}
		dir := filepath.Dir(path)
		loaded, err := rundir.Load(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		all = append(all, loaded)
		out, err := exec.CommandContext(t.Context(), filepath.Join(built, "fleetmark"), "report", dir).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && loaded.Run.Repetitions == 0 && exit.ExitCode() == cli.ExitUsage {
			err = nil // there is nothing to show
		}
		if err != nil {
			return fmt.Errorf("report %s: %w\n%s", dir, err, out)
		}
		return nil
	}))
	return all
}

// left returns what runs have in JetStream.
func (r *mortalRun) left(t *testing.T) []string {
	t.Helper()
	conn, err := r.server.Connect(t.Context(), bus.ConnectOptions{Role: bus.Controller, Name: "test", Token: r.token})
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	left, err := bus.Left(t.Context(), js)
	require.NoError(t, err)
	return left
}

// requireAnotherRun checks that agents that begin now can do a run.
func (r *mortalRun) requireAnotherRun(t *testing.T) {
	t.Helper()
	var all []*clusterProcess
	for _, name := range []string{"next-1", "next-2"} {
		all = append(all, r.agent(t, name, "--runs", "1"))
	}
	c := r.controller(t, "--nats", r.server.URL(), "--agents-wait", "1m", "--lease", "30s", "--repeat", "1")
	for _, p := range append(all, c) {
		p.await(t, "the next run")
		require.Zero(t, p.cmd.ProcessState.ExitCode(), "%s", &p.said)
	}
	require.Empty(t, r.left(t), "nothing stays in JetStream")
	eventually(t, "all processes end", func() bool { return len(r.processes(t)) == 0 })
}

// TestAgentsKilledAtSeededMoments kills an agent or the controller at moments that a seed chooses.
// Whatever is killed: the others end, all directories load, and a next run is possible.
func TestAgentsKilledAtSeededMoments(t *testing.T) {
	testenv.Slow(t)
	onceOnly(t)
	moments := 2
	if testenv.Long() {
		moments = 20
	}
	for _, victim := range []string{"agent", "controller", "local controller"} {
		dice := rand.New(rand.NewPCG(24, uint64(len(victim))))
		length := time.Duration(0) // of a run that nobody kills
		for i := range moments + 1 {
			share := dice.Float64()
			after := time.Duration(share * float64(length))
			if i == 0 {
				share, after = 1, time.Hour
			}
			began := time.Now()
			t.Run(fmt.Sprintf("%s after %.2f of the run", victim, share), func(t *testing.T) {
				r := newMortalRun(t)
				var c, killed *clusterProcess
				others := map[string]*clusterProcess{}
				if victim == "local controller" {
					c = r.controller(t, "--local")
					killed = c
				} else {
					a1, a2 := r.agent(t, "a1"), r.agent(t, "a2")
					c = r.controller(t, "--nats", r.server.URL())
					if killed = c; victim == "agent" {
						killed = a2
						others["the controller"], others["a1"] = c, a1
					} else {
						others["a1"], others["a2"] = a1, a2
					}
				}
				timer := time.NewTimer(after)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-c.waited:
				}
				over := false // whether the run had ended
				select {
				case <-c.waited:
					over = true
				default:
				}
				if i == 0 {
					require.True(t, over)
					require.Zero(t, c.cmd.ProcessState.ExitCode(), "%s", &c.said)
					length = time.Since(began)
				}
				_ = killed.cmd.Process.Kill() // it may have ended
				<-killed.waited
				if victim == "agent" {
					c.await(t, "the controller")
					code := c.cmd.ProcessState.ExitCode()
					t.Logf("exit %d: %s", code, &c.said)
					finished := slices.ContainsFunc(r.runs(t), func(run *rundir.Loaded) bool {
						return run.Run.Agents != nil && run.Run.Status == results.StatusFinished
					})
					switch {
					case over, finished: // the agent was killed after its part
					case len(r.merged(t)) > 0:
						require.Equal(t, cli.ExitInvalid, code)
					default:
						require.Equal(t, cli.ExitUsage, code)
					}
				}
				// Agents that are left without a controller remove what it left, unless it was killed before it
				// made them an offer. The next controller does then.
				orphan := false
				for late := time.Now().Add(20 * time.Second); len(r.left(t)) > 0; time.Sleep(50 * time.Millisecond) {
					if orphan = time.Now().After(late); orphan {
						break
					}
				}
				for _, p := range others {
					_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended
				}
				for name, p := range others {
					p.await(t, name)
					require.False(t, orphan && strings.Contains(p.said.String(), " begins: "), "%s: %s", name, &p.said)
				}
				eventually(t, "all processes end", func() bool { return len(r.processes(t)) == 0 })
				for _, run := range r.runs(t) {
					t.Logf("%s: %s, %d repetitions", strings.TrimPrefix(run.Path, r.dir), run.Status, run.Repetitions)
				}
				if i%5 == 0 || orphan {
					r.requireAnotherRun(t)
				}
			})
		}
	}
}

// merged returns the directories of the controller's runs.
func (r *mortalRun) merged(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.dir, "merged", "*"))
	require.NoError(t, err)
	return found
}

// TestLocalAgentKilled kills agents that run --local started: one before the run is known to wait for
// no one that can't come.
func TestLocalAgentKilled(t *testing.T) {
	onceOnly(t)
	r := newMortalRun(t)
	c := r.controller(t, "--local", "--agents-wait", "10m", "--lease", "10m")
	var pid int
	eventually(t, "an agent is there", func() bool {
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.cmd.Process.Pid))
		require.NoError(t, err)
		for _, f := range found {
			text, _ := os.ReadFile(f) // a thread may have ended
			if list := strings.Fields(string(text)); len(list) > 0 {
				pid, err = strconv.Atoi(list[0])
				return err == nil
			}
		}
		return false
	})
	p, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, p.Kill())
	c.await(t, "the controller")
	require.Equal(t, cli.ExitUsage, c.cmd.ProcessState.ExitCode(), "%s", &c.said)
	require.Regexp(t, `(?m)^fleetmark: agent local-[12] ended by itself: signal: killed$`, c.said.String())
	require.Empty(t, r.merged(t))
	eventually(t, "all processes end", func() bool { return len(r.processes(t)) == 0 })
}

// TestInterruptWhileAgentsAreAwaited interrupts a controller that waits for agents.
func TestInterruptWhileAgentsAreAwaited(t *testing.T) {
	onceOnly(t)
	r := newMortalRun(t)
	c := r.controller(t, "--nats", r.server.URL(), "--agents-wait", "10m", "--lease", "10m")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := r.server.Connect(ctx, bus.ConnectOptions{Role: bus.Agent, Name: "test", Token: r.token})
	require.NoError(t, err)
	defer conn.Close()
	asked, err := conn.SubscribeSync("fleetmark.discover")
	require.NoError(t, err)
	_, err = asked.NextMsgWithContext(ctx)
	require.NoError(t, err, "the controller asks for agents")
	require.NoError(t, c.cmd.Process.Signal(os.Interrupt))
	c.await(t, "the controller")
	require.Equal(t, cli.ExitInterrupted, c.cmd.ProcessState.ExitCode(), "%s", &c.said)
	require.Empty(t, r.merged(t))
	require.Empty(t, r.left(t))
}

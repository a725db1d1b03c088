package runner

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A rollout in a process of its own, so that it can be killed: this test's program
// again, with an order in its environment that TestRolloutKillDriver carries out.

const rolloutOrderVariable = "FLEETMARK_TEST_ROLLOUT_KILL"

type rolloutOrder struct {
	Address    string // of the fleet
	Addressing address.Mode
	Devices    int
	Transport  delivery.Transport
	Directory  string // of its journal and its report
}

// rolloutTold is what a rollout that came to its end tells.
type rolloutTold struct {
	Report rollout.Report
	Failed []string // IDs of devices, sorted
}

const rolloutVersion = "2.0.0"

// rolloutArtifact is so large that a kill finds uploads under way.
func rolloutArtifact(tb testing.TB) *delivery.Artifact {
	a, err := delivery.ArtifactFromBytes(bytes.Repeat([]byte("firmware"), 3<<10))
	require.NoError(tb, err)
	return a
}

func (o rolloutOrder) report() string { return filepath.Join(o.Directory, "report.json") }

// longestRollout is a draw of the longestRollout wait that a retry may take, so that seven tries
// always outlast a device's reboot: a test must not fail by a throw of dice.
type longestRollout struct{}

func (longestRollout) Uint64() uint64 { return math.MaxUint64 }

// carryOut is what the process does. The client's policy is the usual one at a
// shorter scale. The budget and the breaker would fail devices that a test wants to
// see healthy: that is what they are for, and other tests hold them.
func (o rolloutOrder) carryOut(t *testing.T) {
	devices, err := target.ListDevices(o.Address, o.Addressing, o.Devices)
	require.NoError(t, err)
	update, err := delivery.NewUpdate(rolloutVersion, rolloutArtifact(t))
	require.NoError(t, err)
	client, err := delivery.New(delivery.Config{
		Transport: o.Transport,
		Retry: delivery.Retry{
			MaxAttempts: 7, Base: 4 * time.Millisecond, Cap: 64 * time.Millisecond,
			Poll: 5 * time.Millisecond, PollFor: time.Second,
		},
		Random:  longestRollout{},
		Budget:  delivery.RetryBudget{Off: true},
		Breaker: delivery.Breaker{Failures: -1},
	})
	require.NoError(t, err)
	defer client.Close()
	var told rolloutTold
	told.Report, err = rollout.Run(t.Context(), client, devices.All(), update, rollout.Options{
		Workers: 32,
		Waves:   []rollout.Wave{{Share: 0.01, Soak: time.Millisecond}, {Share: 0.1, Soak: time.Millisecond}, {Share: 1}},
		// The offline devices stay so.
		Requeue: rollout.Requeue{Turns: -1},
		// Often, so that there is something in it when the process is killed.
		Journal: rollout.Journal{Path: filepath.Join(o.Directory, "journal"), Every: 5 * time.Millisecond, Records: 64},
		OnEvent: func(e rollout.Event) {
			if e.Kind == rollout.DeviceFailed {
				told.Failed = append(told.Failed, e.Device.ID)
			}
		},
	})
	require.NoError(t, err)
	slices.Sort(told.Failed)
	text, err := json.Marshal(told)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(o.report(), text, 0o600))
}

// TestRolloutKillDriver is the process. Without an order there is nothing to test.
func TestRolloutKillDriver(t *testing.T) {
	text := os.Getenv(rolloutOrderVariable)
	if text == "" {
		return
	}
	var order rolloutOrder
	require.NoError(t, json.Unmarshal([]byte(text), &order))
	order.carryOut(t)
}

// rolloutProcess is one that runs.
type rolloutProcess struct {
	order  rolloutOrder
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{} // closed when there is nothing left of it
	owner  sync.WaitGroup
	err    error
}

// start starts one, which kill must end or await see to its end.
func (o rolloutOrder) start(t *testing.T) *rolloutProcess {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	p := &rolloutProcess{order: o, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRolloutKillDriver$", "-test.count=1")
	// Under -race a process that has ended stays for a second more, for reports of others.
	race := "GORACE=" + os.Getenv("GORACE") + " atexit_sleep_ms=0"
	p.cmd.Env = append(os.Environ(), rolloutOrderVariable+"="+string(text), race)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	require.NoError(t, p.cmd.Start())
	p.owner.Go(func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	})
	t.Cleanup(p.owner.Wait) // the test's context has ended by then, and so the process
	return p
}

// kill is SIGKILL. It returns when the process is gone, and reports whether it was
// this that ended it.
func (p *rolloutProcess) kill() bool {
	_ = p.cmd.Process.Kill() // an error is that it has ended already
	<-p.ended
	return p.cmd.ProcessState.ExitCode() < 0
}

// await sees it to its end, and gives what it told.
func (p *rolloutProcess) await(t *testing.T) (told rolloutTold) {
	t.Helper()
	<-p.ended
	require.NoError(t, p.err, "%s", &p.output)
	text, err := os.ReadFile(p.order.report())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &told))
	return told
}

package runner

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
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

// The rollout runs in a process of its own, so that it can be killed. The process is this test's
// program again, with an order in its environment that TestRolloutKillDriver carries out.

const rolloutOrderVariable = "FLEETMARK_TEST_ROLLOUT_KILL"

type rolloutOrder struct {
	Address    string // the fleet's address
	Addressing address.Mode
	Devices    int
	Transport  delivery.Transport
	Directory  string // the directory with the rollout's journal and its report
}

// rolloutTold is the report of a rollout that ran to its end.
type rolloutTold struct {
	Report rollout.Report
	Failed []string // IDs of failed devices, sorted
}

const rolloutVersion = "2.0.0"

// rolloutArtifact returns an artifact so large that a kill interrupts uploads.
func rolloutArtifact(tb testing.TB) *delivery.Artifact {
	a, err := delivery.ArtifactFromBytes(bytes.Repeat([]byte("firmware"), 3<<10))
	require.NoError(tb, err)
	return a
}

func (o rolloutOrder) report() string { return filepath.Join(o.Directory, "report.json") }

// longestRollout is a random source that always draws the longest wait before a retry, so that
// seven attempts always outlast a device's reboot. The test must not fail by chance.
type longestRollout struct{}

func (longestRollout) Uint64() uint64 { return math.MaxUint64 }

// carryOut runs the rollout in its process. The client has its usual policy on a shorter time
// scale. The retry budget and the breaker are off, because they may fail healthy devices, which is
// their purpose and tested elsewhere.
func (o rolloutOrder) carryOut(t *testing.T) {
	devices, err := target.ListDevices(o.Address, o.Addressing, netip.Prefix{}, address.Shard{}, o.Devices)
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
		// Offline devices never come back, so there are no further attempts.
		Requeue: rollout.Requeue{Turns: -1},
		// The journal is written often, so that it isn't empty when the process is killed.
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

// TestRolloutKillDriver is the process of a rollout. Without an order in its environment, it does
// nothing.
func TestRolloutKillDriver(t *testing.T) {
	text := os.Getenv(rolloutOrderVariable)
	if text == "" {
		return
	}
	var order rolloutOrder
	require.NoError(t, json.Unmarshal([]byte(text), &order))
	order.carryOut(t)
}

// rolloutProcess is a running rollout.
type rolloutProcess struct {
	order  rolloutOrder
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{} // closed when the process has ended
	owner  sync.WaitGroup
	err    error
}

// start starts a process for the order. The caller must end it with kill, or wait for it with
// await.
func (o rolloutOrder) start(t *testing.T) *rolloutProcess {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	p := &rolloutProcess{order: o, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRolloutKillDriver$", "-test.count=1")
	// By default the race detector delays a process's exit by a second.
	race := "GORACE=" + os.Getenv("GORACE") + " atexit_sleep_ms=0"
	p.cmd.Env = append(os.Environ(), rolloutOrderVariable+"="+string(text), race)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	require.NoError(t, p.cmd.Start())
	p.owner.Go(func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	})
	t.Cleanup(p.owner.Wait) // the test's context, which ends the process, is canceled before cleanups
	return p
}

// kill sends SIGKILL, and returns when the process has ended. It reports whether the signal ended
// it.
func (p *rolloutProcess) kill() bool {
	_ = p.cmd.Process.Kill() // the process may have ended already
	<-p.ended
	return p.cmd.ProcessState.ExitCode() < 0
}

// await waits until the rollout has ended, and returns what it reported.
func (p *rolloutProcess) await(t *testing.T) (told rolloutTold) {
	t.Helper()
	<-p.ended
	require.NoError(t, p.err, "%s", &p.output)
	text, err := os.ReadFile(p.order.report())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &told))
	return told
}

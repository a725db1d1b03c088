package rollout_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/inventory"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// A rolloutOrder tells a rollout in a process of its own what to do, so that the process can be
// killed. The test binary runs itself with the order in its environment, and TestRolloutProcess
// carries it out. It uses only the public API of delivery, and any devices serve.

const rolloutOrderVariable = "FLEETMARK_TEST_ROLLOUT_ORDER"

type rolloutOrder struct {
	Devices string // path of an inventory
	Version string
	Content string // of the update
	Client  delivery.Retry
	Workers int
	Waves   []rollout.Wave
	Journal rollout.Journal
	Report  string // path of the file that the Report is written to, as JSON
}

// TestRolloutProcess carries out the order. Without an order there is nothing to test.
func TestRolloutProcess(t *testing.T) {
	text := os.Getenv(rolloutOrderVariable)
	if text == "" {
		return
	}
	var order rolloutOrder
	require.NoError(t, json.Unmarshal([]byte(text), &order))
	devices, err := inventory.Open(order.Devices, inventory.Options{})
	require.NoError(t, err)
	artifact, err := delivery.ArtifactFromBytes([]byte(order.Content))
	require.NoError(t, err)
	update, err := delivery.NewUpdate(order.Version, artifact)
	require.NoError(t, err)
	client, err := delivery.New(delivery.Config{Retry: order.Client})
	require.NoError(t, err)
	defer client.Close()
	report, err := rollout.Run(t.Context(), client, devices.All(), update, rollout.Options{
		Workers: order.Workers, Waves: order.Waves, Journal: order.Journal,
	})
	require.NoError(t, err)
	told, err := json.Marshal(report)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(order.Report, told, 0o600))
}

// rolloutProcess is a running rollout process.
type rolloutProcess struct {
	order rolloutOrder
	cmd   *exec.Cmd
	out   string        // path of the file that it writes to
	ended chan struct{} // closed when the process has ended
	err   error
}

// startRollout starts a process. The caller must wait for it.
func startRollout(t testing.TB, order rolloutOrder) *rolloutProcess {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(order)
	require.NoError(t, err)
	p := &rolloutProcess{order: order, out: filepath.Join(t.TempDir(), "out"), ended: make(chan struct{})}
	out, err := os.Create(p.out)
	require.NoError(t, err)
	p.cmd = exec.CommandContext(t.Context(), exe, "-test.run=^TestRolloutProcess$", "-test.count=1")
	p.cmd.Env = append(os.Environ(), rolloutOrderVariable+"="+string(text))
	p.cmd.Stdout, p.cmd.Stderr = out, out
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended) // wait waits for it
		p.err = p.cmd.Wait()
		_ = out.Close()
	}()
	return p
}

// kill ends the process as a power failure would, and returns when it is gone.
func (p *rolloutProcess) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.ended
}

// wait returns the report of a process that came to its end. It returns false for one that was
// killed.
func (p *rolloutProcess) wait(t testing.TB) (rollout.Report, bool) {
	t.Helper()
	<-p.ended
	var report rollout.Report
	if p.cmd.ProcessState.ExitCode() < 0 {
		return report, false
	}
	out, err := os.ReadFile(p.out)
	require.NoError(t, err)
	require.NoError(t, p.err, "%s", out)
	text, err := os.ReadFile(p.order.Report)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &report))
	return report, true
}

// rolloutOrderFor returns an order whose waits are short.
func rolloutOrderFor(t testing.TB, addresses []string) rolloutOrder {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "devices.jsonl"))
	require.NoError(t, err)
	for i, address := range addresses {
		_, err := fmt.Fprintf(f, `{"id":"till-%d","address":%q}`+"\n", i, address)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return rolloutOrder{
		Devices: f.Name(), Version: "2.0.0", Content: "firmware", Workers: 16,
		Client: delivery.Retry{MaxAttempts: 6, Base: time.Millisecond, Cap: 5 * time.Millisecond, Poll: time.Millisecond,
			PollFor: time.Minute},
		Waves: []rollout.Wave{{Share: 0.1, Soak: time.Millisecond}, {Share: 0.5, Soak: time.Millisecond}, {Share: 1}},
		// Small, so that there is something in it when the process is killed.
		Journal: rollout.Journal{Path: filepath.Join(dir, "journal"), Every: 5 * time.Millisecond, Records: 8},
		Report:  filepath.Join(dir, "report.json"),
	}
}

package abtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	_ "net/http/pprof" // the client serves profiles
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/scenarios"
)

// asPush is the argument that makes this test's program a client.command that pushes, and serves its
// profiles at the address in the next argument. A third argument makes it waste time.
const asPush = "push-client"

// servePushes is a client that can push.
func servePushes(in io.Reader, out io.Writer, address string, wasteful bool) error {
	go func() { _ = http.ListenAndServe(address, http.DefaultServeMux) }() // ends with the process
	lines := bufio.NewScanner(in)
	lines.Scan()
	fmt.Fprintln(out, `{"protocol":1,"operations":["push","verify"]}`)
	for lines.Scan() {
		var r struct {
			ID      int64
			Device  struct{ Address string }
			Version string
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		if wasteful {
			waste()
		}
		req, err := http.NewRequest(http.MethodPost, r.Device.Address+"/update", bytes.NewReader([]byte("x")))
		if err != nil {
			return err
		}
		req.Header.Set("X-Update-Version", r.Version)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
		fmt.Fprintf(out, `{"id":%d,"ok":true}`+"\n", r.ID)
	}
	return nil
}

//go:noinline
func waste() {
	sum := sha256.Sum256(nil)
	for range 1000 {
		sum = sha256.Sum256(sum[:])
	}
}

// TestExplainSides_processes checks that both sides of a client that is a Go process are profiled in
// turns at the addresses that their processes are told, and that the function that makes one side
// slower is named. The load has no duration, so several repetitions share the processes.
func TestExplainSides_processes(t *testing.T) {
	testenv.Slow(t)
	artifact := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(artifact, []byte("x"), 0o600))
	spec := scenarios.Default()
	spec.Name, spec.Fleet.Devices, spec.Artifact.File, spec.Load.Workers = "own", 100, artifact, 2
	spec.Load.Operation = delivery.OpPush
	client := []string{os.Args[0], asPush, scenarios.PprofPlaceholder}
	spec.Client.Command, spec.Client.Processes = client, 2
	o := profileOptions{
		Builds: Builds{
			Base: Side{Program: os.Args[0], Client: client}, Now: Side{Program: os.Args[0], Client: append(client, "waste")},
		},
		Spec: spec, FleetCommand: []string{os.Args[0], "fleet"}, Dir: t.TempDir(), Kind: profiles.CPU, Pairs: minPairs,
		Stderr: os.Stderr,
	}
	own, _, err := profileNeed{spec: spec}.functions(Options{Builds: o.Builds})
	require.NoError(t, err)
	e, err := explainSides(t.Context(), o, explain.Options{Own: own})
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(o.Dir, checkout.Base, "cpu.8.pb.gz"))
	require.NotEmpty(t, e.Causes)
	require.Contains(t, e.Causes[0].Function, ".waste")
}

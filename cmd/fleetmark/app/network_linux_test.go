package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/internal/testnet"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

// The two machines of TestDevicesOnANetwork, which stand in network namespaces of their own, and
// the network of the devices. RFC 2544 sets 198.18.0.0/15 aside for measuring.
const (
	fleetHost, driverHost = "198.18.0.1", "198.18.0.2"
	deviceNet             = "10.64.0.0/22"
)

// machines are two linked network namespaces, which end with the test.
type machines struct{ fleet, driver *testnet.Machine }

func newMachines(t *testing.T) *machines {
	t.Helper()
	m := &machines{testnet.New(t, "fleet"), testnet.New(t, "driver")}
	m.fleet.Link(t, "drivers", m.driver, "fleet")
	m.fleet.IP(t, "address", "add", fleetHost+"/30", "dev", "drivers")
	m.driver.IP(t, "address", "add", driverHost+"/30", "dev", "fleet")
	return m
}

// on returns a command that runs on one of the machines.
func (m *machines) on(ctx context.Context, machine *testnet.Machine, command ...string) *exec.Cmd {
	cmd := machine.Command(ctx, command...)
	cmd.Env = append(os.Environ(), tokenEnv+"=for-this-test")
	return cmd
}

// says runs a command on a machine, and returns its output and its exit code.
func (m *machines) says(t *testing.T, dir string, machine *testnet.Machine, command ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := m.on(ctx, machine, command...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// start starts the fleet, which ends with the test.
func (m *machines) start(t *testing.T, command ...string) (ready mockfleet.Ready) {
	t.Helper()
	cmd := m.on(context.WithoutCancel(t.Context()), m.fleet, command...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, cmd.Process.Signal(os.Interrupt)) // ip has become the fleet
		assert.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(line, &ready))
	return ready
}

// TestDevicesOnANetwork drives devices on another machine, each at an address of its own.
func TestDevicesOnANetwork(t *testing.T) {
	onceOnly(t)
	bash := testenv.Program(t, "bash")
	m := newMachines(t)
	dir, own := t.TempDir(), filepath.Join(built, "fleetmark")
	const devices = 300
	fleet := []string{own, "fleet", "--devices", fmt.Sprint(devices), "--device-network", deviceNet, "--allow-remote",
		"--control-listen", fleetHost + ":0", "--no-progress"}

	out, code := m.says(t, dir, m.fleet, fleet...)
	require.Equal(t, cli.ExitUsage, code)
	require.Equal(t, "fleetmark: mockfleet: device-network: 10.64.0.0/22: listen udp4 10.64.0.1:0: bind: "+
		"cannot assign requested address: make its addresses this machine's own (Linux): "+
		"sudo ip route add local 10.64.0.0/22 dev lo\n", out)
	m.doctorSays(t, m.fleet, doctor.Problem)

	m.fleet.IP(t, "route", "add", "local", deviceNet, "dev", "lo")
	m.driver.IP(t, "route", "add", deviceNet, "via", fleetHost)
	m.doctorSays(t, m.fleet, doctor.OK)
	m.doctorSays(t, m.driver, doctor.OK)

	ready := m.start(t, fleet...)
	require.Equal(t, deviceNet, ready.Network.String())
	port := ready.Address[strings.LastIndex(ready.Address, ":")+1:]
	require.Equal(t, "http://10.64.0.1:"+port, ready.Address)
	out, code = m.says(t, dir, m.driver, own, "run", "--fleet", ready.Address, "--fleet-control", ready.Control,
		"--devices", fmt.Sprint(devices), "--repeat", "2", "--no-progress")
	require.Contains(t, []int{cli.ExitPass, cli.ExitRegressed, cli.ExitInconclusive}, code, out) // times mean nothing here
	require.Contains(t, out, "300 devices, 300 updated, 0 failed, 0 lost, 0 applied twice")

	// The ledger is of the last repetition. bash speaks HTTP well enough to fetch it from there.
	control := strings.TrimPrefix(ready.Control, "http://")
	host, controlPort, _ := strings.Cut(control, ":")
	out, code = m.says(t, dir, m.driver, bash, "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%s; "+
		`printf 'GET /ledger HTTP/1.0\r\nAuthorization: Bearer for-this-test\r\n\r\n' >&3; cat <&3`, host, controlPort))
	require.Zero(t, code, out)
	_, lines, ok := strings.Cut(out, "\r\n\r\n")
	require.True(t, ok, out)
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
		var e ledger.Entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		require.EqualValues(t, 1, e.Applied, line)
		require.Zero(t, e.Misdirected, line)
		seen[e.ID] = true
	}
	require.Len(t, seen, devices)

	// Nothing answers at other addresses: the machine's own, and those that no device has.
	for _, at := range []string{fleetHost, "10.64.0.0", "10.64.1.45", "10.64.3.255"} {
		url := "http://" + at + ":" + port
		out, code = m.says(t, dir, m.driver, own, "run", "--fleet", url, "--addressing", "path", "--devices", "1",
			"--no-progress")
		require.Equal(t, cli.ExitUsage, code)
		require.Regexp(t, `does not answer at `+url+`/d/0.*(EOF|connection reset by peer|server closed idle connection)`, out)
	}
}

// doctorSays checks what doctor says on a machine about the network of the devices. It takes ten
// seconds each time, so it isn't asked by default.
func (m *machines) doctorSays(t *testing.T, machine *testnet.Machine, want doctor.State) {
	t.Helper()
	if !testenv.Everything() {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := m.on(ctx, machine, filepath.Join(built, "fleetmark"), "doctor", "--device-network", deviceNet, "--json",
		"--no-progress").Output()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	var o doctorJSON
	require.NoError(t, json.Unmarshal(out, &o), "%s", out)
	i := slices.IndexFunc(o.Checks, func(c doctor.Check) bool { return c.Name == "device network" })
	require.GreaterOrEqual(t, i, 0, "%s", out)
	require.Equal(t, want, o.Checks[i].State, "%+v", o.Checks[i])
}

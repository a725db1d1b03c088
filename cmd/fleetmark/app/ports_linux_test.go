package app

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
)

// TestTooFewLocalPorts runs in a network namespace with 40 local ports, so that 64 workers can't
// have a connection each to the same device. The run is invalid and gives the numbers.
func TestTooFewLocalPorts(t *testing.T) {
	testenv.Root(t)
	testenv.Program(t, "ip", "/usr/sbin/ip", "/sbin/ip")
	inner, _ := command(t, "run", "throughput", "--duration", "200ms", "--repeat", "1", "--warmup", "0", "--set",
		"profiled=0", "--set", "client.max_attempts=1", "--json", "--no-progress")
	// The namespace, its loopback interface and this setting end with the process.
	const network = `ip link set lo up && echo "40000 40039" > /proc/sys/net/ipv4/ip_local_port_range && exec "$@"`
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", network, "sh"}, inner.Args...)...)
	cmd.Dir = inner.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.Error(t, err)
	require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode(), "%s%s", stdout.String(), stderr.String())
	var o struct {
		Invalid []string
		Harness results.HarnessHealth
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &o))
	require.Regexp(t, `^the harness was the bottleneck: [0-9]+ connections found no free local port or address \(EADDRNOTAVAIL\); at the end [0-9]+ sockets were in TIME_WAIT, and connections have ports 40000 to 40039$`, o.Invalid[0])
	require.True(t, o.Harness.Saturated)
}

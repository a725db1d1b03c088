package mockfleet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// neighbor is a network namespace that is linked to this machine. It stands for another machine.
// Both ends are set up to let packets to 127.0.0.0/8 pass, so that such packets come as far as a
// machine can let them.
type neighbor struct {
	name   string
	host   netip.Addr // this machine's address on the link
	asRoot []string   // what a command begins with to have root's rights
	ip     string     // path of the program ip
}

// newNeighbor makes a neighbor that ends with the test. It needs iproute2 and root's rights.
func newNeighbor(t *testing.T) *neighbor {
	t.Helper()
	n := &neighbor{name: fmt.Sprintf("fleetmark-%d", os.Getpid())}
	n.ip = program(t, "ip", "/usr/sbin/ip", "/sbin/ip") // where Debian has it, outside a user's PATH
	if os.Geteuid() != 0 {
		if os.Getenv(everything) == "" {
			t.Skip("a network namespace takes root; .ci/run wants this test")
		}
		n.asRoot = []string{"sudo", "-n"}
	}
	// An interface's name has 15 characters at most. RFC 2544 sets 198.18.0.0/15 aside for
	// measuring between networks; tests that run at the same time take different parts of it.
	outer, inner := fmt.Sprintf("fm%dh", os.Getpid()), fmt.Sprintf("fm%dn", os.Getpid())
	block := uint32(os.Getpid()) % (1 << 15) * 4
	at := func(i uint32) netip.Addr {
		i += block
		return netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)})
	}
	n.host = at(1)
	if _, err := n.try(t, n.ip, "netns", "add", n.name); err != nil {
		require.Empty(t, os.Getenv(everything), err)
		t.Skipf("no network namespace to be had; .ci/run wants this test: %v", err)
	}
	t.Cleanup(func() { n.undo(t, "netns", "del", n.name) })
	n.must(t, n.ip, "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", n.name)
	// The link is deleted explicitly: it would end only some time after its namespace.
	t.Cleanup(func() { n.undo(t, "link", "del", outer) })
	n.must(t, n.ip, "address", "add", n.host.String()+"/30", "dev", outer)
	n.must(t, n.ip, "link", "set", outer, "up")
	n.must(t, n.ip, "-n", n.name, "address", "add", at(2).String()+"/30", "dev", inner)
	n.must(t, n.ip, "-n", n.name, "link", "set", inner, "up")
	// The neighbor's loopback interface is down, so a route decides where 127.0.0.0/8 leads.
	// route_localnet lets each end of the link pass such packets; the setting ends with the link.
	n.must(t, n.ip, "-n", n.name, "route", "add", "127.0.0.0/8", "via", n.host.String())
	const let = "echo 1 >/proc/sys/net/ipv4/conf/%s/route_localnet"
	n.must(t, n.ip, "netns", "exec", n.name, "sh", "-c", fmt.Sprintf(let, inner))
	n.must(t, "sh", "-c", fmt.Sprintf(let, outer))
	return n
}

func (n *neighbor) try(t *testing.T, command ...string) (string, error) {
	command = append(n.asRoot[:len(n.asRoot):len(n.asRoot)], command...)
	return say(context.WithoutCancel(t.Context()), command[0], command[1:]...) // also when the test has ended
}

func (n *neighbor) must(t *testing.T, command ...string) string {
	t.Helper()
	output, err := n.try(t, command...)
	require.NoError(t, err)
	return output
}

func (n *neighbor) undo(t *testing.T, arguments ...string) {
	_, err := n.try(t, append([]string{n.ip}, arguments...)...)
	assert.NoError(t, err)
}

// knocks makes the neighbor try to connect to each address, and returns the results of knock.
func (n *neighbor) knocks(t *testing.T, addresses ...string) []string {
	t.Helper()
	own, err := os.Executable()
	require.NoError(t, err)
	const hasten = "GORACE=atexit_sleep_ms=0" // the race detector would wait for a second at the end
	output := n.must(t, append([]string{n.ip, "netns", "exec", n.name, "env", hasten, own, "knock"}, addresses...)...)
	came := strings.Split(strings.TrimSpace(output), "\n")
	require.Len(t, came, len(addresses))
	return came
}

// listenAt listens as a server does that relies on its address alone. Nobody accepts, which a
// client doesn't notice.
func listenAt(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

func TestAnotherMachineCannotReachAFleet(t *testing.T) {
	n := newNeighbor(t)
	hosts := []string{n.host.String(), "127.0.0.1", "127.1.0.0", "127.1.0.1"}
	t.Run("the way is open", func(t *testing.T) {
		var open []string
		for _, host := range hosts {
			open = append(open, listenAt(t, host))
		}
		for i, result := range n.knocks(t, open...) {
			require.Equal(t, knockOpened, result, open[i])
		}
	})
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			const devices = 2
			f := startFleet(t, Config{Devices: devices, Addressing: a})
			client, control := newClient(t), openControl(t, f)
			for i := range devices {
				getVersion(t, client, f.DeviceAddress(i))
			}
			_, err := control.Status(t.Context())
			require.NoError(t, err)

			ports := []uint16{f.control.address.Port(), portOf(f)}
			if a == address.Port {
				ports = append(ports, portOf(f)+1)
			}
			before := f.Status().ConnectionsTotal
			var tried []string
			for _, port := range ports {
				for _, host := range hosts {
					tried = append(tried, net.JoinHostPort(host, fmt.Sprint(port)))
				}
			}
			for i, result := range n.knocks(t, tried...) {
				assert.Contains(t, []string{knockRefused, knockDropped}, result, tried[i])
			}
			require.Equal(t, before, f.Status().ConnectionsTotal, "nothing got as far as the second lock")
		})
	}
}

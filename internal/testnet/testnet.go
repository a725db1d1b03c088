// Package testnet makes machines for a test: network namespaces of Linux, joined by links.
//
// A [Machine] has a loopback interface and nothing else. [Machine.Link] joins two, [Machine.IP]
// gives addresses and routes, and [Machine.Command] runs a program there. Machines take root's
// rights and the program ip; a test is skipped without them, as package testenv does it. They end
// with the test, even if it fails.
package testnet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fleetmark/fleetmark/internal/testenv"
)

// A Machine is a network namespace.
type Machine struct {
	name string
	ip   string // path of the program ip
}

// New makes a machine. Programs that the test starts on it must have ended before the test ends. No
// two machines of a test process have the same name.
func New(t testing.TB, name string) *Machine {
	t.Helper()
	testenv.Root(t)
	m := &Machine{fmt.Sprintf("fleetmark-net-%d-%s", os.Getpid(), name), testenv.Program(t, "ip", "/usr/sbin/ip", "/sbin/ip")}
	if out, err := m.run(t, "netns", "add", m.name); err != nil {
		testenv.Missing(t, fmt.Sprintf("no network namespace: %s", out))
	}
	t.Cleanup(func() { // its ends of links go with it
		if out, err := m.run(t, "netns", "del", m.name); err != nil {
			t.Errorf("removing %s: %v: %s", m.name, err, out)
		}
	})
	m.IP(t, "link", "set", "lo", "up")
	return m
}

// run runs ip, even after the test's context has ended.
func (m *Machine) run(t testing.TB, args ...string) ([]byte, error) {
	return exec.CommandContext(context.WithoutCancel(t.Context()), m.ip, args...).CombinedOutput()
}

// IP runs the program ip on the machine. It fails the test if that fails.
func (m *Machine) IP(t testing.TB, args ...string) {
	t.Helper()
	if out, err := m.run(t, append([]string{"-n", m.name}, args...)...); err != nil {
		t.Fatalf("ip -n %s %s: %v: %s", m.name, strings.Join(args, " "), err, out)
	}
}

// Link joins the machine to another. The link's end here is the interface device, and there peer;
// both are up, and have no address. The name of an interface has at most 15 characters.
func (m *Machine) Link(t testing.TB, device string, to *Machine, peer string) {
	t.Helper()
	m.IP(t, "link", "add", device, "type", "veth", "peer", "name", peer, "netns", to.name)
	m.IP(t, "link", "set", device, "up")
	to.IP(t, "link", "set", peer, "up")
}

// Command returns a command that runs on the machine. A signal to it reaches the program itself.
func (m *Machine) Command(ctx context.Context, command ...string) *exec.Cmd {
	return exec.CommandContext(ctx, m.ip, append([]string{"netns", "exec", m.name}, command...)...)
}

package server

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// TestEveryAddressingListensOnLoopbackAlone checks that listeners are bound to the loopback
// interface, so that neither the machine's other addresses nor routes over other interfaces reach
// them.
func TestEveryAddressingListensOnLoopbackAlone(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Port, address.Path} {
		for _, l := range startServer(t, testConfig(2, a, behavior.Behavior{})).listeners {
			require.Equal(t, "lo", interfaceOf(t, l), a)
		}
	}
	cfg := testConfig(2, address.Path, behavior.Behavior{})
	cfg.Listen = "[::1]:0"
	s := startServer(t, cfg)
	require.Equal(t, "lo", interfaceOf(t, s.listeners[0]))
	dial(t, s, 1).ask("GET /d/1/version HTTP/1.1\r\nHost: a\r\n\r\n")
	cfg.Listen = "0.0.0.0:0"
	require.Empty(t, interfaceOf(t, startServer(t, cfg).listeners[0]), "others are allowed in")
}

// interfaceOf returns the interface that a listener is bound to, or "" if it is bound to none.
func interfaceOf(t *testing.T, l net.Listener) (name string) {
	raw, err := l.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		name, err = unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	}))
	require.NoError(t, err)
	return name
}

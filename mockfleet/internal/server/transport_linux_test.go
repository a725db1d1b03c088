package server

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

func TestASocketHasTheReceiveBufferOfItsDevice(t *testing.T) {
	const size = 9000
	s := startServer(t, testConfig(1, address.Port, behavior.Behavior{Network: behavior.Network{ReceiveBuffer: size}}))
	dial(t, s, 0).ask(askHealth)
	var conns []net.Conn
	s.conns.each(func(c *conn) { conns = append(conns, c.rawConn()) })
	socket, err := conns[0].(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	var got int
	var failed error
	require.NoError(t, socket.Control(func(fd uintptr) {
		got, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	}))
	require.NoError(t, failed)
	require.Equal(t, 2*size, got, "Linux tells twice what it was told")
}

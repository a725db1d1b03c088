package mockfleet

import (
	"bufio"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

func TestASocketHasTheReceiveBufferOfItsDevice(t *testing.T) {
	const size = 9000
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: behavior.Behavior{Network: behavior.Network{ReceiveBuffer: size}}})
	c := mustDialDevice(t, f, 0)
	b := bufio.NewReader(c)
	c.send([]byte(askHealth))
	c.response(b)
	socket, err := f.server.Conns()[0].(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	var got int
	var failed error
	require.NoError(t, socket.Control(func(fd uintptr) {
		got, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	}))
	require.NoError(t, failed)
	require.Equal(t, 2*size, got, "Linux tells twice what it was told")
}

package server

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// TestAnOpenGateKeepsItsConnections checks that opening a gate that has reopened by itself resets
// no connection. That happens when the end of a reboot is noticed late.
func TestAnOpenGateKeepsItsConnections(t *testing.T) {
	// The listener needs a given port: a socket that is shut loses a port that the system chose.
	chosen, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, chosen.Close())
	l, err := net.Listen("tcp", chosen.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	g := newGate(l)
	require.NotNil(t, g)
	g.set(fault.PortState{Show: fault.PortClosed, For: 1}, nil)
	require.Eventually(t, func() bool { _, open := g.update(); return open }, 10*time.Second, time.Millisecond)
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(10*time.Second)))

	g.set(fault.PortState{}, nil)
	server, err := l.Accept()
	require.NoError(t, err)
	_, err = server.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, server.Close())
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}

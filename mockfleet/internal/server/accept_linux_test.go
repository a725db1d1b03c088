package server

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// TestAPeerThatIsNotLoopbackIsRefused checks that in ip addressing the peer must have a loopback
// address. This is a second check, after the interface that the listener is bound to.
func TestAPeerThatIsNotLoopbackIsRefused(t *testing.T) {
	s := New(Config{Addressing: address.IP, Devices: device.Config{Devices: 1}})
	for _, peer := range []string{"10.0.0.1:1", "[fe80::1]:1"} {
		_, ok := s.identify(fakeConn{local: "127.1.0.0:80", remote: peer}, 0)
		require.False(t, ok, peer)
	}
	i, ok := s.identify(fakeConn{local: "127.1.0.0:80", remote: "127.0.0.1:1"}, 0)
	require.True(t, ok)
	require.Zero(t, i)
}

type fakeConn struct {
	net.Conn
	local, remote string
}

func (c fakeConn) LocalAddr() net.Addr { return mustResolve(c.local) }

func (c fakeConn) RemoteAddr() net.Addr { return mustResolve(c.remote) }

func mustResolve(s string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	return a
}

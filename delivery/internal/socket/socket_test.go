package socket

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// pair returns both ends of a connection over loopback.
func pair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	b, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// TestProbe_noSocket checks that a connection that can't be looked at is always quiet.
func TestProbe_noSocket(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	require.NoError(t, b.Close())
	var p Probe
	p.Open(a)
	require.True(t, p.IsQuiet())
	require.False(t, p.HasEnded())
	_, known := p.Unacked()
	require.False(t, known)
}

func TestResetOnClose(t *testing.T) {
	ours, theirs := pair(t)
	ResetOnClose(wrapped{ours})
	require.NoError(t, ours.Close())
	_, err := theirs.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF)
}

package server

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAcceptQueueCountsWhatTheKernelHolds checks that acceptQueue counts the connections that the
// kernel holds because nobody accepts them.
func TestAcceptQueueCountsWhatTheKernelHolds(t *testing.T) {
	const backlog = 5
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(socket, backlog))
	file := os.NewFile(uintptr(socket), "listener")
	nl, err := net.FileListener(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	defer nl.Close()
	l := nl.(*net.TCPListener)
	length, limit := acceptQueue(l)
	require.Equal(t, []int{0, backlog}, []int{length, limit})
	for n := range backlog + 1 { // Linux queues one more than the limit
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		length, _ = acceptQueue(l)
		require.Equal(t, n+1, length)
	}
	before := acceptOverflows()
	ctx, cancel := context.WithTimeout(t.Context(), 100*1e6) // each SYN is dropped
	defer cancel()
	_, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	require.Error(t, err)
	require.Greater(t, acceptOverflows(), before)
	require.NoError(t, l.Close())
	length, limit = acceptQueue(l)
	require.Equal(t, []int{0, 0}, []int{length, limit})
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socket

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// arrived waits until a connection has something to read, or has ended. It reads nothing.
func arrived(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	}))
}

func TestProbe(t *testing.T) {
	ours, theirs := pair(t)
	var p Probe
	p.Open(wrapped{wrapped{ours}})
	require.True(t, p.IsQuiet())
	require.False(t, p.HasEnded())

	_, err := io.WriteString(theirs, "x")
	require.NoError(t, err)
	arrived(t, ours)
	require.False(t, p.IsQuiet())
	require.False(t, p.HasEnded(), "there is something before its end")
	b := make([]byte, 2)
	n, err := ours.Read(b)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the look took nothing")
	require.True(t, p.IsQuiet())
	require.Zero(t, testing.AllocsPerRun(10, func() { p.IsQuiet() }))

	require.NoError(t, theirs.Close())
	arrived(t, ours)
	require.False(t, p.IsQuiet())
	require.True(t, p.HasEnded())
}

// writeCount counts the writes of a WriteWaiter.
type writeCount int

func (c *writeCount) OnWritten() { *c++ }

func TestWriteWaiter(t *testing.T) {
	ours, theirs := pair(t)
	var p Probe
	var w WriteWaiter
	p.Open(wrapped{ours})
	w.Open(wrapped{ours}, &p, nil)
	require.False(t, w.IsAvailable(), "who wraps a socket may want to see what is written")

	var written writeCount
	p.Open(ours)
	w.Open(ours, &p, &written)
	require.True(t, w.IsAvailable())
	answered := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(theirs, make([]byte, 3))
		if err == nil {
			_, err = io.WriteString(theirs, "yes")
		}
		answered <- err
	}()
	n, err := w.Send([]byte("ask"), true)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.EqualValues(t, 1, written)
	require.False(t, p.IsQuiet(), "it returns when the answer has begun to come")
	require.NoError(t, <-answered)

	n, err = w.Send([]byte("ask"), true)
	require.ErrorIs(t, err, ErrStale, "it holds an answer that nobody asked for")
	require.Zero(t, n)
	require.EqualValues(t, 1, written)
	n, err = w.Send([]byte("ask"), false)
	require.NoError(t, err, "what a fresh connection holds is read as the answer")
	require.Equal(t, 3, n)

	_, err = io.ReadFull(ours, make([]byte, 3))
	require.NoError(t, err)
	require.NoError(t, ours.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	n, err = w.Send([]byte("ask"), true)
	require.NoError(t, err, "reading the answer will say why there is none")
	require.Equal(t, 3, n)
}

package socket

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUnacked(t *testing.T) {
	ours, theirs := pair(t)
	var p Probe
	p.Open(ours)
	n, known := p.Unacked()
	require.True(t, known)
	require.Zero(t, n)
	// The peer reads nothing: its system takes what it has room for.
	require.NoError(t, theirs.SetReadBuffer(4<<10))
	require.NoError(t, ours.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	written, err := ours.Write(make([]byte, 32<<20))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	n, known = p.Unacked()
	require.True(t, known)
	require.Positive(t, n)
	require.LessOrEqual(t, n, int64(written))
	require.NoError(t, ours.Close())
	_, known = p.Unacked()
	require.False(t, known)
}

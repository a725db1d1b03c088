package nethttp

import (
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/stretchr/testify/require"
)

func TestAcked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	c := newCountedConn(near, &exchange.Counters{}, &exchange.ChunkPool{})
	require.Zero(t, c.acked())
	n, chunk := 0, make([]byte, 1<<20)
	for range 64 {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		var wrote int
		wrote, err = c.Conn.Write(chunk)
		if n += wrote; err != nil {
			break
		}
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	c.sent.Store(int64(n))
	if runtime.GOOS == "linux" {
		require.Less(t, c.acked(), int64(n), "the socket holds some of it")
	}
	require.Positive(t, c.acked(), "the other one has the rest")
	require.NoError(t, c.SetWriteDeadline(time.Time{}))
	near.Close()
	require.EqualValues(t, n, c.acked(), "a closed one can't be asked")
}

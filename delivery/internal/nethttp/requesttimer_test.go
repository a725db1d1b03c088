package nethttp

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/stretchr/testify/require"
)

// TestRequestTimer_withoutItsBody has a request whose write failed before its body was read, such
// as one to a device that refuses the client's certificate. net/http reports that it was written.
// From then on, the answer, which says why, has the answer timeout.
func TestRequestTimer_withoutItsBody(t *testing.T) {
	address := deliverytest.Listen(t, func(net.Conn) { <-t.Context().Done() })
	nc, err := net.Dial("tcp", address[len("http://"):])
	require.NoError(t, err)
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := &requestTimer{cancel: cancel}
	least := exchange.MinThroughput{BytesPerSecond: 1 << 10, Window: 30 * time.Second}
	limits := exchange.Limits{Response: time.Hour, MinThroughput: least}
	k.start(&limits, 2*time.Hour, 1<<20)
	// The device reads nothing, so that its system leaves some of what was written unacknowledged.
	conn := newCountedConn(nc, &exchange.Counters{}, nil)
	require.NoError(t, nc.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = nc.Write(make([]byte, 32<<20))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	k.setConn(conn, newAnswerConn(nc, conn, http1.Limits{}))
	k.requestWritten()
	_, known := conn.unacked()
	k.mu.Lock()
	require.Equal(t, known, k.draining)
	k.draining = true // as on a system where a later check finds everything acknowledged
	k.mu.Unlock()
	for range 3 {
		k.onTimer()
	}
	why, _ := k.stop()
	require.NoError(t, why)
	require.NoError(t, ctx.Err())
}

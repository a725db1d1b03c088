package delivery

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// TestAnsweredLooksPastInterimAnswers: only a final answer, or the end of the
// connection, stops an upload.
func TestAnsweredLooksPastInterimAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	c := newConn()
	c.open(connKey{host: "a"}, near)
	defer c.shut()

	require.False(t, c.answered())
	for _, step := range []struct {
		text string
		want bool
	}{
		{"HTTP/1.1 1", false},
		{"00 Continue\r\n", false},
		{"\r\n", false},
		{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.", false},
		{"1 413 Too Large\r\n", true},
	} {
		_, err := io.WriteString(far, step.text)
		require.NoError(t, err)
		require.Equal(t, step.want, c.answered(), "%q", step.text)
	}
}

// TestEarlyRefusalOfAHeldUpload: a device's early refusal ends an upload that a rate holds back, at
// once.
func TestEarlyRefusalOfAHeldUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err != nil {
				return
			}
			_, _ = io.WriteString(c, deliverytest.JSONAnswer("403 Forbidden", `{"message":"not signed"}`))
			<-t.Context().Done()
		})
		c := newClient(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := c.Push(pacing.WithByteRate(ctx, pacing.NewByteRate(4<<10)), dev, newUpdate(t, "2", make([]byte, 1<<20))) // 256 s of it
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorContains(t, err, "not signed")
	})
}

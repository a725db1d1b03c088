package delivery

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// TestDeviceThatSpeaksFirst has a device that sends its answer before the request. No new data
// arrives after the request was written, so the client must read what is there instead of waiting.
func TestDeviceThatSpeaksFirst(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			spoken := make(chan struct{}, 1)
			dev := rawDevice(t, func(c net.Conn) {
				_, _ = io.WriteString(c, deliverytest.JSONAnswer("503 Too Many Connections", `{}`))
				_ = c.(*net.TCPConn).CloseWrite()
				spoken <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
			})
			c := newClient(t, Config{Transport: tr, Timeouts: Timeouts{Answer: 2 * time.Second},
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
					if err == nil {
						<-spoken
					}
					return nc, err
				}})
			err := c.Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
			require.Error(t, err)
			require.NotEqual(t, ClassTimeout, ClassOf(err), "%v", err)
		})
	}
}

// TestPushIntoAFullSocket checks that a request that the socket has no room for is written when
// there is room.
func TestPushIntoAFullSocket(t *testing.T) {
	full, filler := make(chan struct{}), make(chan int64, 1)
	dev := rawDevice(t, func(c net.Conn) {
		<-full
		_, _ = io.CopyN(io.Discard, c, <-filler)
		br := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(c, deliverytest.Good(r))
		}
	})
	c := newClient(t, Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		written := int64(0)
		for err == nil {
			n := 0
			if err = nc.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err == nil {
				n, err = nc.Write(make([]byte, 1<<16))
			}
			written += int64(n)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, errors.Join(err, nc.Close())
		}
		filler <- written
		time.AfterFunc(20*time.Millisecond, func() { close(full) })
		return nc, nc.SetWriteDeadline(time.Time{})
	}})
	u := newUpdate(t, "2", make([]byte, exchange.SingleWrite))
	require.NoError(t, c.Push(t.Context(), dev, u))
	require.NoError(t, c.Push(t.Context(), dev, u))
	require.EqualValues(t, 1, c.Stats().Dials)
}

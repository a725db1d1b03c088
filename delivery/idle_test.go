package delivery

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestIdleConnectionsAreClosed checks that a client that does nothing any more closes its
// connections once they were idle for IdleTimeout. The device reads until its connection ends, and
// reports when that was.
func TestIdleConnectionsAreClosed(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, closed := time.Now(), make(chan time.Duration, 30)
				c := newClient(t, Config{
					Transport: tr, IdleTimeout: 10 * time.Second,
					Dial: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() {
							br := bufio.NewReader(far)
							for {
								r, err := http.ReadRequest(br)
								if err != nil {
									closed <- time.Since(began)
									return
								}
								_, _ = io.WriteString(far, deliverytest.Good(r))
							}
						}()
						return near, nil
					},
				})
				u := newUpdate(t, "2", []byte("x"))
				const devices = 30
				for i := range devices {
					time.Sleep(time.Second / 10) // 3 s in all
					require.NoError(t, c.Verify(t.Context(), Device{Address: fmt.Sprintf("http://till-%d", i)}, u))
				}
				for range devices {
					at := <-closed // blocks forever if the connection isn't closed
					require.Less(t, at, 15*time.Second)
					require.GreaterOrEqual(t, at, 10*time.Second)
				}
				// The client still works.
				require.NoError(t, c.Verify(t.Context(), Device{Address: "http://till"}, u))
				time.Sleep(5 * time.Second)
				require.NoError(t, c.Verify(t.Context(), Device{Address: "http://till"}, u))
				require.EqualValues(t, devices+1, c.Stats().Dials, "what isn't too old is used")
				c.Close()
				<-closed
			})
		})
	}
}

package delivery

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestExpect checks every way in which a device may react to Expect: 100-continue.
func TestExpect(t *testing.T) {
	const invite = "HTTP/1.1 100 Continue\r\n\r\n"
	for name, row := range map[string]struct {
		first, then string // before the body is read, and after it
		keep        bool   // whether the connection can be used again
		want        Class
		requests    []string
	}{
		"invites": {invite, "", true, ClassUnknown, []string{"100-continue x"}},
		"hints, then invites": {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + invite, "", true, ClassUnknown,
			[]string{"100-continue x"}},
		"ignores it":       {"", "", true, ClassUnknown, []string{"100-continue x"}},
		"invites too late": {"", invite, true, ClassUnknown, []string{"100-continue x"}},
		"417": {"HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "", false,
			ClassUnknown, []string{"100-continue -", " x"}},
		"refuses": {"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "", false,
			ClassPermanent, []string{"100-continue -"}},
		"hangs up": {"close", "", false, ClassAmbiguous, []string{"100-continue -"}},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var asked seen
				dev := rawDevice(t, func(c net.Conn) {
					br := bufio.NewReader(c)
					for {
						r, err := http.ReadRequest(br)
						if err != nil {
							return
						}
						expect := r.Header.Get("Expect")
						if r.Method == http.MethodPost && expect != "" && row.first != "" {
							if row.first == "close" {
								asked.add("%s -", expect)
								return
							}
							if !row.keep {
								asked.add("%s -", expect)
							}
							_, _ = io.WriteString(c, row.first)
							if !row.keep {
								_ = c.(*net.TCPConn).CloseWrite()
								_, _ = io.Copy(io.Discard, c)
								return
							}
						}
						asked.add("%s %s", expect, bodyOf(r))
						_, _ = io.WriteString(c, row.then+deliverytest.Good(r))
					}
				})
				cfg.ExpectFrom, cfg.Timeouts.Continue = 1, 20*time.Millisecond
				c := newClient(t, cfg)
				err := c.Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				require.Equal(t, row.requests, asked.all())
				if row.want == ClassUnknown {
					require.NoError(t, c.Verify(t.Context(), dev, newUpdate(t, "2", []byte("x"))), "and the connection is in step")
				}
			})
		})
	}
}

// TestExpectIsForLargeArtifacts checks that by default no artifact is announced.
func TestExpectIsForLargeArtifacts(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var asked seen
		dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
			asked.add("%s", r.Header.Get("Expect"))
			return deliverytest.Good(r)
		})
		u := newUpdate(t, "2", []byte("xy"))
		require.NoError(t, newClient(t, cfg).Push(t.Context(), dev, u))
		cfg.ExpectFrom = 3
		require.NoError(t, newClient(t, cfg).Push(t.Context(), dev, u))
		require.NoError(t, newClient(t, cfg).Verify(t.Context(), dev, newUpdate(t, "2", []byte("x"))))
		require.Equal(t, []string{"", "", ""}, asked.all())
	})
}

// TestExpectIsCanceled cancels a request while the device doesn't react to Expect.
func TestExpectIsCanceled(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Config{
					Transport: tr, ExpectFrom: 1, Timeouts: Timeouts{Continue: time.Hour, Total: 2 * time.Hour},
					Dial: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() {
							_, _ = io.Copy(io.Discard, far)
							_ = far.Close()
						}()
						return near, nil
					},
				})
				require.NoError(t, err)
				defer c.Close()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- c.Push(ctx, Device{Address: "http://till-17"}, newUpdate(t, "2", []byte("x"))) }()
				synctest.Wait()
				cancel()
				require.Equal(t, ClassCanceled, ClassOf(<-ended))
			})
		})
	}
}

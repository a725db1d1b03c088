package delivery

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCancelOfAThousand: operations that wait in every place where one can are all
// back before the test's own clock has moved, and leave no goroutine. While they
// wait there is none for a request: only its caller's, and net/http's two a connection.
func TestCancelOfAThousand(t *testing.T) {
	const each = 125
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
	stall := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	answering := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			br := bufio.NewReader(c)
			for {
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(c, text)
			}
		}
	}
	hosts := map[string]func(net.Conn){ // what a device does with a connection
		"connect.example":   nil,
		"handshake.example": stall,
		"silent.example":    stall,
		"half.example":      answering(head[:30]),
		"body.example":      answering(head + `{"succ`),
		"poll.example":      answering(jsonAnswer("202 Accepted", "{}")),
		"backoff.example":   answering(jsonAnswer("503 Busy", "{}")),
		"upload.example": func(c net.Conn) {
			_, _ = io.CopyN(io.Discard, c, 1000)
		},
	}
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var conns atomic.Int32
				c := newClient(t, Config{
					Transport: tr,
					Timeouts:  Timeouts{Dial: time.Hour, TLS: time.Hour, Answer: time.Hour, Total: time.Hour, LeastProgress: LeastProgress{PerSecond: -1}},
					Budget:    RetryBudget{Off: true},
					Retry:     Retry{Base: 24 * time.Hour, Cap: 24 * time.Hour, Poll: 24 * time.Hour},
					Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
						host, _, err := net.SplitHostPort(address)
						if err != nil {
							return nil, err
						}
						device := hosts[host]
						if device == nil {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						conns.Add(1)
						near, far := net.Pipe()
						closed := make(chan struct{})
						go func() {
							device(far)
							<-closed
							_ = far.Close()
						}()
						return &closeHook{near, sync.OnceFunc(func() { close(closed) })}, nil
					},
				})
				before := runtime.NumGoroutine()
				ctx, cancel := context.WithCancel(t.Context())
				u := newUpdate(t, "2", make([]byte, 100_000))
				ended := make(chan error, each*len(hosts))
				for host := range hosts {
					dev := Device{Address: "http://" + host}
					if strings.HasPrefix(host, "handshake") {
						dev.Address = "https://" + host
					}
					for range each {
						go func() {
							_, err := c.Deliver(ctx, dev, u)
							ended <- err
						}()
					}
				}
				synctest.Wait()
				require.Empty(t, ended)
				perConn := 1 // the device's
				dialing := 0
				if tr == NetHTTP {
					perConn, dialing = 3, 2*each // and its own, connecting and in the handshake
				}
				require.LessOrEqual(t, runtime.NumGoroutine()-before, each*len(hosts)+perConn*int(conns.Load())+dialing+2*each)

				began := time.Now()
				cancel()
				for range each * len(hosts) {
					require.Equal(t, ClassCanceled, ClassOf(<-ended))
				}
				require.Zero(t, time.Since(began), "on the test's own clock")
				// No goroutine is left: synctest would not end while there is one.
			})
		})
	}
}

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
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestCancelOfAThousand cancels operations that wait in every place where one can wait. It checks
// that all return before the test's own clock has moved, and leave no goroutine. While they wait,
// there is no goroutine per request: only the caller's, and two of net/http's per connection.
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
		"poll.example":      answering(deliverytest.JSONAnswer("202 Accepted", "{}")),
		"backoff.example":   answering(deliverytest.JSONAnswer("503 Busy", "{}")),
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
					Timeouts: Timeouts{Dial: time.Hour, TLS: time.Hour, Answer: time.Hour, Total: time.Hour,
						LeastProgress: LeastProgress{PerSecond: -1}},
					Budget: RetryBudget{Off: true},
					Retry:  Retry{Base: 24 * time.Hour, Cap: 24 * time.Hour, Poll: 24 * time.Hour},
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
					perConn, dialing = 3, 2*each // and the client's own, connecting and in the handshake
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

// BenchmarkCancelThousand cancels a thousand deliveries at once, over real sockets, to devices that
// took the push and never answer. It reports the longest time from the cancel to the last return.
// The time to set them up is not reported.
func BenchmarkCancelThousand(b *testing.B) {
	const inFlight = 1000
	for _, tr := range transports {
		b.Run(string(tr), func(b *testing.B) {
			silent := newSilentDevice(b)
			c := newClient(b, Config{Transport: tr, Timeouts: Timeouts{Dial: time.Hour, Answer: time.Hour, Total: time.Hour}})
			u := newUpdate(b, "2", make([]byte, benchSize))
			slowest := time.Duration(0)
			for b.Loop() {
				others := goleak.IgnoreCurrent()
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, inFlight)
				for range inFlight {
					go func() {
						_, err := c.Deliver(ctx, silent.Device, u)
						ended <- err
					}()
				}
				for range inFlight {
					require.NoError(b, <-silent.taken)
				}
				require.Empty(b, ended)
				began := time.Now()
				cancel()
				classes := map[Class]int{}
				for range inFlight {
					classes[ClassOf(<-ended)]++
				}
				slowest = max(slowest, time.Since(began))
				require.Equal(b, map[Class]int{ClassCanceled: inFlight}, classes)
				silent.hangUp(b)
				goleak.VerifyNone(b, others)
			}
			b.ReportMetric(float64(slowest)/float64(time.Millisecond), "ms-to-cancel")
			b.ReportMetric(0, "ns/op") // it would be the time of the setup, for the most part
		})
	}
}

// silentDevice reads requests and never answers. It uses one goroutine for all of them, so that a
// goroutine that is left over is the client's.
type silentDevice struct {
	Device
	taken chan error // of each request, whether it came whole
	conns chan net.Conn
}

func newSilentDevice(b *testing.B) *silentDevice {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	d := &silentDevice{Device{Address: "http://" + l.Addr().String()}, make(chan error, 1), make(chan net.Conn, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.conns <- c
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
			d.taken <- err
		}
	}()
	b.Cleanup(func() {
		require.NoError(b, l.Close())
		<-done
		d.hangUp(b)
	})
	return d
}

// hangUp closes the connections of the requests so far.
func (d *silentDevice) hangUp(b *testing.B) {
	for len(d.conns) > 0 {
		require.NoError(b, (<-d.conns).Close())
	}
}

// TestCauseOfTheEndedContext checks that a deadline of the caller's and a cancel have different
// classes.
func TestCauseOfTheEndedContext(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			dev := rawDevice(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			c, u := newClient(t, Config{Transport: tr}), newUpdate(t, "2", []byte("x"))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			err := c.Push(ctx, dev, u)
			require.Equal(t, ClassTimeout, ClassOf(err), "%v", err)
			require.NotContains(t, err.Error(), "canceled")

			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			err = c.Push(ctx, dev, u)
			require.Equal(t, ClassCanceled, ClassOf(err), "%v", err)
		})
	}
}

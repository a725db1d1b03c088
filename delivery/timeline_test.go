package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestTimeline has phases that each take a second or more of the test's own clock, and checks that
// each is stamped when it ends.
func TestTimeline(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	roots, cert := x509.NewCertPool(), s.TLS.Certificates
	roots.AddCert(s.Certificate())
	s.Close()
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines []Timeline
				closed := make(chan struct{})
				refuse := false
				c := newClient(t, Config{
					Transport: tr, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
					Observe: func(l Timeline) { lines = append(lines, l) },
					Dial: func(context.Context, string, string) (net.Conn, error) {
						if refuse {
							return nil, errors.New("no route")
						}
						<-time.After(time.Second) // connect
						near, far := net.Pipe()
						go slowAnswers(tls.Server(&slowFirst{Conn: far}, &tls.Config{Certificates: cert}), closed)
						return &closeHook{near, sync.OnceFunc(func() { close(closed) })}, nil
					},
				})
				dev, u := Device{ID: "till-17", Address: "https://till-17"}, newUpdate(t, "2", []byte("x"))
				begun := time.Now()
				require.NoError(t, c.Push(t.Context(), dev, u))
				require.Equal(t, ClassPermanent, ClassOf(c.Verify(t.Context(), dev, u)))
				refuse = true
				require.Error(t, c.Push(t.Context(), Device{Address: "http://till-18"}, u))
				require.Len(t, lines, 3)

				at := func(l Timeline, t time.Time) int {
					if t.IsZero() {
						return -1
					}
					return int(t.Sub(begun) / time.Second)
				}
				phases := func(l Timeline) []int {
					return []int{at(l, l.Begun), at(l, l.Prepared), at(l, l.Connected), at(l, l.Secured), at(l, l.Ready),
						at(l, l.Written), at(l, l.Answered), at(l, l.Ended)}
				}
				push, verify, refused := lines[0], lines[1], lines[2]
				require.Equal(t, []int{0, 0, 1, 3, 3, 3, 7, 12}, phases(push))
				require.Equal(t, []int{12, 12, -1, -1, 12, 12, 16, 21}, phases(verify))
				require.Equal(t, []int{21, 21, -1, -1, -1, -1, -1, 21}, phases(refused))
				require.Equal(t, []any{OpPush, "till-17", 200, nil, false},
					[]any{push.Op, push.Device, push.Status, push.Err, push.Reused})
				require.Equal(t, []any{OpVerify, 404, nil, true}, []any{verify.Op, verify.Status, verify.Err, verify.Reused})
				require.ErrorContains(t, refused.Err, "no route")
			})
		})
	}
}

// slowFirst is a connection whose first read takes two seconds: the handshake's.
type slowFirst struct {
	net.Conn
	once sync.Once
}

func (c *slowFirst) Read(p []byte) (int, error) {
	c.once.Do(func() { <-time.After(2 * time.Second) })
	return c.Conn.Read(p)
}

// slowAnswers begins each answer after four seconds, and ends it after five more. It answers a
// verification with a 404.
func slowAnswers(c net.Conn, closed chan struct{}) {
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			break
		}
		text := deliverytest.JSONAnswer("404 Not Found", "{}")
		if r.Method == http.MethodPost {
			_ = bodyOf(r)
			text = deliverytest.Good(r)
		}
		<-time.After(4 * time.Second)
		_, _ = io.WriteString(c, text[:20])
		<-time.After(5 * time.Second)
		_, _ = io.WriteString(c, text[20:])
	}
	<-closed
	_ = c.Close()
}

// TestTimelineWithoutTLS checks that, over either transport, a new connection has a Connected time
// and no Secured time.
func TestTimelineWithoutTLS(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var lines []Timeline
		cfg.Observe = func(l Timeline) { lines = append(lines, l) }
		_, err := newClient(t, cfg).Deliver(t.Context(), newTestDevice(t).Device, newUpdate(t, "2", []byte("x")))
		require.NoError(t, err)
		require.Len(t, lines, 2)
		for i, l := range lines {
			require.Equal(t, i > 0, l.Reused)
			require.Equal(t, l.Reused, l.Connected.IsZero())
			require.True(t, l.Secured.IsZero())
			require.False(t, l.Ready.IsZero())
		}
	})
}

// TestRoundTripper checks that a configured round-tripper sees every request of net/http, with the
// values of the caller's context. A trace in that context sees the requests as well.
func TestRoundTripper(t *testing.T) {
	type key struct{}
	var seen, traced, traces atomic.Int32
	dev := newTestDevice(t)
	c := newClient(t, Config{Transport: NetHTTP, Header: http.Header{"Authorization": {"a"}},
		RoundTripper: func(base http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				seen.Add(1)
				if r.Context().Value(key{}) == "span" {
					traced.Add(1)
				}
				r = r.Clone(httptrace.WithClientTrace(r.Context(),
					&httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { traces.Add(1) }}))
				r.Header.Set("Traceparent", "00-1-2-01")
				return base.RoundTrip(r)
			})
		}})
	ctx := context.WithValue(t.Context(), key{}, "span")
	u := newUpdate(t, "2", make([]byte, 100_000))
	for range 3 {
		_, err := c.Deliver(ctx, dev.Device, u)
		require.NoError(t, err)
	}
	require.EqualValues(t, []int32{6, 6, 6}, []int32{seen.Load(), traced.Load(), traces.Load()})
	require.Equal(t, "00-1-2-01", dev.pushes[0].Header.Get("Traceparent"))
	require.EqualValues(t, 1, c.Stats().Dials)

	var mine atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { mine.Add(1) }})
	c = newClient(t, Config{Transport: NetHTTP})
	for range 3 {
		require.NoError(t, c.Push(ctx, dev.Device, u))
	}
	require.EqualValues(t, 3, mine.Load())
	require.EqualValues(t, []uint64{3, 2}, []uint64{c.Stats().Requests, c.Stats().Reused})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

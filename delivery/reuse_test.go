package delivery

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestWhatCameWhileIdleIsNoAnswer checks that a kept-alive connection is not used again if the
// device closes it or sends bytes after its answer. Neither a push nor a verification may read
// those bytes.
func TestWhatCameWhileIdleIsNoAnswer(t *testing.T) {
	for name, meanwhile := range map[string]func(net.Conn) error{
		"a second answer": func(c net.Conn) error {
			_, err := io.WriteString(c, deliverytest.JSONAnswer("400 Bad Request", `{}`))
			return err
		},
		"a 408 before the close": func(c net.Conn) error {
			_, err := io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			return err
		},
		"a close": func(c net.Conn) error { return c.Close() },
		"a reset": func(c net.Conn) error {
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				return err
			}
			return c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			idle, done := make(chan struct{}), make(chan error)
			var first atomic.Bool
			dev := rawDevice(t, func(c net.Conn) {
				spoilt := !first.Swap(true)
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, deliverytest.Good(r))
					if spoilt {
						<-idle
						done <- meanwhile(c)
						spoilt = false
					}
				}
			})
			c, u := newClient(t, Config{}), newUpdate(t, "2", []byte("x"))
			require.NoError(t, c.Verify(t.Context(), dev, u))
			close(idle)
			require.NoError(t, <-done)
			require.NoError(t, c.Push(t.Context(), dev, u))
			require.EqualValues(t, 2, c.Stats().Dials)
		})
	}
}

// TestWhatTLSReadAheadIsNoAnswer has a device that sends a second answer, in a TLS record of its
// own, together with the first. TLS reads both from the socket, which then shows nothing of the
// second.
func TestWhatTLSReadAheadIsNoAnswer(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	roots, cert := x509.NewCertPool(), s.TLS.Certificates
	roots.AddCert(s.Certificate())
	s.Close()
	var conns atomic.Int32
	dev := rawDevice(t, func(c net.Conn) {
		first := conns.Add(1) == 1
		corked := &corkedConn{Conn: c}
		tc := tls.Server(corked, &tls.Config{Certificates: cert})
		br := bufio.NewReader(tc)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			corked.cork = true
			_, _ = io.WriteString(tc, deliverytest.Good(r))
			if first {
				_, _ = io.WriteString(tc, deliverytest.JSONAnswer("400 Bad Request", `{}`))
			}
			corked.cork = false
			_, _ = corked.Write(nil)
		}
	})
	dev.Address = strings.Replace(dev.Address, "http", "https", 1)
	c, u := newClient(t, Config{TLS: &tls.Config{RootCAs: roots}}), newUpdate(t, "2", []byte("x"))
	require.NoError(t, c.Verify(t.Context(), dev, u))
	require.NoError(t, c.Push(t.Context(), dev, u))
	require.EqualValues(t, 2, c.Stats().Dials)
	require.NoError(t, c.Push(t.Context(), dev, u))
	require.EqualValues(t, 2, c.Stats().Dials, "what is quiet is used again")
}

// corkedConn collects what is written while it is corked.
type corkedConn struct {
	net.Conn
	cork bool
	kept []byte
}

func (c *corkedConn) Write(p []byte) (int, error) {
	c.kept = append(c.kept, p...)
	if c.cork {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.kept)
	c.kept = nil
	return len(p), err
}

// TestHangUpsUnderLoad has a device that closes instead of answering a second request. Every
// verification must get its answer all the same. The race detector checks that nothing is read from
// a connection that was given back.
func TestHangUpsUnderLoad(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := scriptedDevice(t, func(_, n int, r *http.Request) string {
			if n > 1 {
				return ""
			}
			return deliverytest.Good(r)
		})
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					if err := c.Verify(t.Context(), dev, u); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestATimeoutIsNotRetriedOverAnotherConnection checks that a kept-alive connection that goes
// silent costs one answer timeout, and not one for every idle connection.
func TestATimeoutIsNotRetriedOverAnotherConnection(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var asked atomic.Int32
		dev := rawDevice(t, func(c net.Conn) {
			br := bufio.NewReader(c)
			for {
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				if asked.Add(1) == 1 {
					_, _ = io.WriteString(c, deliverytest.Good(r))
				}
			}
		})
		cfg.Timeouts.Answer = 100 * time.Millisecond
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		require.NoError(t, c.Verify(t.Context(), dev, u))
		require.Equal(t, ClassTimeout, ClassOf(c.Verify(t.Context(), dev, u)))
		require.EqualValues(t, 2, asked.Load())
	})
}

// TestConnectionsThatMustNotBeUsedAgain checks that each answer is accepted as it is, and that the
// next request uses another connection.
func TestConnectionsThatMustNotBeUsedAgain(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want Class
	}{
		"switching protocols": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
			ClassProtocol},
		"bare 101":         {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ClassProtocol},
		"connection close": {"HTTP/1.1 200 OK\r\nconnection: Keep-Alive, Close\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + deliverytest.GoodPush, ClassUnknown},
		"http 1.0": {"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" +
			deliverytest.GoodPush, ClassUnknown},
		// net/http drops these connections too, but in another goroutine, which may be too late.
		"lean: 204 with a body": {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", ClassProtocol},
		"lean: more than promised": {deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush) +
			"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", ClassUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				if strings.HasPrefix(name, "lean: ") {
					cfg.Transport = Lean
				}
				dev := scriptedDevice(t, func(k, n int, r *http.Request) string {
					if k == 1 && n == 1 {
						return row.text
					}
					return deliverytest.Good(r)
				})
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				err := c.Push(t.Context(), dev, u)
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				require.NoError(t, c.Push(t.Context(), dev, u))
				require.EqualValues(t, 2, c.Stats().Dials)
			})
		})
	}
}

// TestConnectionsThatAreUsedAgain checks that none of these answers makes the client open another
// connection.
func TestConnectionsThatAreUsedAgain(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want Class
	}{
		"early hints":       {"HTTP/1.1 103 Early Hints\r\nConnection: close\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush), ClassUnknown},
		"chunks":            {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8;ext=1\r\n{\"succes\r\n8\r\ns\":true}\r\n0\r\nX-Trailer: 1\r\n\r\n", ClassUnknown},
		"204":               {"HTTP/1.1 204 No Content\r\n\r\n", ClassProtocol},
		"304 with a length": {"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", ClassPermanent},
		"500":               {deliverytest.JSONAnswer("500 Internal Server Error", `{"message":"disk"}`), ClassAmbiguous},
		"kept-alive by 1.0": {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + deliverytest.GoodPush, ClassUnknown},
		"not JSON":          {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>", ClassProtocol},
		"lower-case headers": {"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n" +
			deliverytest.GoodPush, ClassUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := scriptedDevice(t, func(_, n int, r *http.Request) string {
					if n == 1 {
						return row.text
					}
					return deliverytest.Good(r)
				})
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				err := c.Push(t.Context(), dev, u)
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				require.NoError(t, c.Push(t.Context(), dev, u))
				s := c.Stats()
				require.EqualValues(t, []uint64{2, 1, 1}, []uint64{s.Requests, s.Dials, s.Reused})
			})
		})
	}
}

// TestConnectionsKeptAfterABurst checks that no more than MaxIdle connections are kept.
func TestConnectionsKeptAfterABurst(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		const burst = 5
		cfg.MaxIdle = 2
		var all sync.WaitGroup // holds the answers until every push is there
		all.Add(burst)
		dev := scriptedDevice(t, func(_, n int, r *http.Request) string {
			if n == 1 {
				all.Done()
				all.Wait()
			}
			return deliverytest.Good(r)
		})
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		var pushes sync.WaitGroup
		for range burst {
			pushes.Go(func() {
				if err := c.Push(t.Context(), dev, u); err != nil {
					t.Error(err)
				}
			})
		}
		pushes.Wait()
		require.EqualValues(t, burst, c.Stats().Dials)
	})
}

// TestCloseWhileOperationsRun checks that the operations end as without a Close, and leave no
// connection.
func TestCloseWhileOperationsRun(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		asked, answer, gone := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		dev := rawDevice(t, func(c net.Conn) {
			br := bufio.NewReader(c)
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			close(asked)
			<-answer
			_, _ = io.WriteString(c, deliverytest.Good(r))
			_, err = br.ReadByte()
			gone <- err
		})
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		ended := make(chan error, 1)
		go func() { ended <- c.Verify(t.Context(), dev, u) }()
		<-asked
		c.Close()
		close(answer)
		require.NoError(t, <-ended)
		require.ErrorIs(t, <-gone, io.EOF)
		require.ErrorIs(t, c.Verify(t.Context(), dev, u), ErrClosed)
	})
}

type closeHook struct {
	net.Conn
	hook func()
}

func (c *closeHook) Close() error {
	c.hook()
	return c.Conn.Close()
}

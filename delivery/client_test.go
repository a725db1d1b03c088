package delivery

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPushAndVerify(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Header = http.Header{"authorization": {"Bearer abc"}, "X-Site": {"a", "b"}}
		c, dev := newClient(t, cfg), newTestDevice(t)
		u := newUpdate(t, "2.0.0", bytes.Repeat([]byte("firmware"), 20_000))

		err := c.Verify(t.Context(), dev.Device, u)
		require.ErrorIs(t, err, ErrLacksUpdate)
		require.Equal(t, ClassIntegrity, ClassOf(err))
		require.NoError(t, c.Push(t.Context(), dev.Device, u))
		require.NoError(t, c.Verify(t.Context(), dev.Device, u))

		r := dev.pushes[0]
		require.Equal(t, bytes.Repeat([]byte("firmware"), 20_000), dev.bodies[0])
		require.Equal(t, int64(160_000), r.ContentLength)
		require.Empty(t, r.TransferEncoding)
		require.Equal(t, "application/octet-stream", r.Header.Get("Content-Type"))
		require.Equal(t, "till-17", r.Header.Get("X-Device-ID"))
		require.Equal(t, "2.0.0", r.Header.Get("X-Update-Version"))
		// printf firmware… | openssl dgst -sha256 -binary | base64
		require.Equal(t, "sha-256=:"+opensslBase64+":", r.Header.Get("Repr-Digest"))
		require.Regexp(t, `^"[0-9a-f]{32}"$`, r.Header.Get("Idempotency-Key"))
		require.Equal(t, "Bearer abc", r.Header.Get("Authorization"))
		require.Equal(t, []string{"a", "b"}, r.Header.Values("X-Site"))
	})
}

// opensslBase64 is the digest of 160,000 bytes, "firmware" repeated: head -c … | openssl dgst
// -sha256 -binary | base64
const opensslBase64 = "5hT8enoKxg2XLjLbiIR+vwRSjqKb1atdIn1BWZla2HM="

func TestConnectionsAreReused(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newTestDevice(t)
		u := newUpdate(t, "2.0.0", []byte("x"))
		for range 20 {
			require.NoError(t, c.Push(t.Context(), dev.Device, u))
			require.NoError(t, c.Verify(t.Context(), dev.Device, u))
		}
		_, _, conns := dev.counts()
		require.Equal(t, 1, conns, "an answer was not read to its end")
		s := c.Stats()
		require.EqualValues(t, 40, s.Requests)
		require.EqualValues(t, 1, s.Dials)
		require.Greater(t, s.BytesWritten, uint64(40*100))
		require.Greater(t, s.BytesRead, uint64(40*100))
	})
}

func TestStatusClasses(t *testing.T) {
	for status, want := range map[int]Class{
		202: ClassPending, 204: ClassProtocol, 301: ClassPermanent, 302: ClassPermanent, 303: ClassPermanent,
		304: ClassPermanent,
		400: ClassPermanent, 401: ClassPermanent, 403: ClassPermanent, 404: ClassPermanent,
		413: ClassThrottled, // a 413 with a Retry-After
		415: ClassPermanent, 422: ClassPermanent, 408: ClassAmbiguous, 409: ClassConflict, 429: ClassThrottled,
		500: ClassAmbiguous, 501: ClassPermanent, 502: ClassAmbiguous, 503: ClassThrottled, 504: ClassAmbiguous,
		505: ClassPermanent,
	} {
		overBoth(t, func(t *testing.T, cfg Config) {
			c, dev := newClient(t, cfg), newTestDevice(t)
			dev.onPush = func(_ int, w http.ResponseWriter, _ func()) bool {
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
				return true
			}
			err := c.Push(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			require.Equal(t, want, e.Class, "status %d", status)
			require.Equal(t, status, e.Status)
			require.Equal(t, 7*time.Second, e.RetryAfter)
			require.Equal(t, "till-17", e.Device)
			pushes, _, _ := dev.counts()
			require.Equal(t, 1, pushes, "a push is one request, and no redirect to a GET is followed")
		})
	}
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	good := `{"success":true,"size":1,"digest":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}` // printf x | sha256sum
	for name, row := range map[string]struct {
		contentType, body string
		want              Class
	}{
		"good":           {"application/json", good, ClassUnknown},
		"charset":        {"Application/JSON; charset=utf-8", good, ClassUnknown},
		"upper digest":   {"application/json", strings.ToUpper(good[16:]), ClassProtocol},
		"only success":   {"application/json", `{"success":true}`, ClassUnknown},
		"html":           {"text/html", good, ClassProtocol},
		"no type":        {"", good, ClassProtocol},
		"half JSON":      {"application/json", good[:40], ClassProtocol},
		"empty":          {"application/json", "", ClassProtocol},
		"not an object":  {"application/json", "[]", ClassProtocol},
		"not a success":  {"application/json", `{"success":false,"message":"no room"}`, ClassRefused},
		"says nothing":   {"application/json", `{}`, ClassRefused},
		"another digest": {"application/json", `{"success":true,"digest":"00"}`, ClassIntegrity},
		"another size":   {"application/json", `{"success":true,"size":2}`, ClassIntegrity},
		"endless": {"application/json", `{"success":true,"message":"` + strings.Repeat("x", 70_000) + `"}`,
			ClassProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				c, dev := newClient(t, cfg), newTestDevice(t)
				dev.onPush = func(_ int, w http.ResponseWriter, _ func()) bool {
					w.Header()["Content-Type"] = []string{row.contentType}
					_, _ = io.WriteString(w, row.body)
					return true
				}
				err := c.Push(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
			})
		})
	}
}

func TestVerify(t *testing.T) {
	digest := "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	for name, row := range map[string]struct {
		body string
		want Class
		is   error
	}{
		"runs it": {`{"device_id":"till-17","version":"2","digest":"` + digest + `","state":"idle"}`, ClassUnknown,
			nil},
		"no state": {`{"device_id":"till-17","version":"2","digest":"` + digest + `"}`, ClassUnknown, nil},
		"other version": {`{"device_id":"till-17","version":"1","digest":"` + digest + `","state":"idle"}`, ClassIntegrity,
			ErrLacksUpdate},
		"other digest": {`{"device_id":"till-17","version":"2","digest":"00","state":"idle"}`, ClassIntegrity,
			ErrWrongDigest},
		"no digest": {`{"device_id":"till-17","version":"2","state":"idle"}`, ClassIntegrity, ErrWrongDigest},
		"other device": {`{"device_id":"till-18","version":"2","digest":"` + digest + `","state":"idle"}`, ClassIntegrity,
			ErrWrongDevice},
		"no device":  {`{"version":"2","digest":"` + digest + `","state":"idle"}`, ClassIntegrity, ErrWrongDevice},
		"installing": {`{"device_id":"till-17","version":"1","state":"installing"}`, ClassPending, nil},
		"rebooting": {`{"device_id":"till-17","version":"2","digest":"` + digest + `","state":"rebooting"}`, ClassPending,
			nil},
		"failed":  {`{"device_id":"till-17","version":"1","state":"failed"}`, ClassIntegrity, ErrDeviceFailed},
		"cut":     {`{"device_id":"till-17","version":"2","dig`, ClassProtocol, nil},
		"escaped": {`{"device_id":"till\u002d17","version":"2","digest":"` + digest + `","state":"idle"}`, ClassUnknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				c, dev := newClient(t, cfg), newTestDevice(t)
				dev.onVerify = func(_ int, w http.ResponseWriter) bool {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, row.body)
					return true
				}
				err := c.Verify(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				if row.is != nil {
					require.ErrorIs(t, err, row.is)
				}
			})
		})
	}
}

func TestRefused(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		dev := Device{Address: "http://" + l.Addr().String()}
		require.NoError(t, l.Close())
		c := newClient(t, cfg)
		require.Equal(t, ClassNotSent, ClassOf(c.Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))))
		require.Equal(t, ClassNotSent, ClassOf(c.Verify(t.Context(), dev, newUpdate(t, "2", []byte("x")))))
	})
}

func TestTimeouts(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) // takes everything, says nothing
		u := newUpdate(t, "2", []byte("x"))

		answer := cfg
		answer.Timeouts.Answer = 20 * time.Millisecond
		require.Equal(t, ClassTimeout, ClassOf(newClient(t, answer).Push(t.Context(), dev, u)))

		total := cfg
		total.Timeouts.Total = 20 * time.Millisecond
		require.Equal(t, ClassTimeout, ClassOf(newClient(t, total).Push(t.Context(), dev, u)))

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := newClient(t, cfg).Push(ctx, dev, u)
		require.Equal(t, ClassTimeout, ClassOf(err))

		dial := cfg
		dial.Timeouts.Dial = 20 * time.Millisecond
		dial.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done() // a connection that never completes
			return nil, ctx.Err()
		}
		require.Equal(t, ClassTimeout, ClassOf(newClient(t, dial).Push(t.Context(), dev, u)))
	})
}

func TestConnectionLost(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"FIN at once": func(net.Conn) {},
		"RST at once": func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
		"FIN after the request": func(c net.Conn) {
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				err := newClient(t, cfg).Push(t.Context(), rawDevice(t, serve), newUpdate(t, "2", []byte("x")))
				require.Equal(t, ClassAmbiguous, ClassOf(err), "%v", err)
			})
		})
	}
}

func TestBrokenHTTP(t *testing.T) {
	for name, text := range map[string]string{
		"garbage":       "SSH-2.0-OpenSSH_9.6\r\n\r\n",
		"half a header": "HTTP/1.1 200 OK\r\nContent-Type: appl",
		"half a body":   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"success\":true}",
		"header flood": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Flood: 0123456789012345678901234567890123456789\r\n",
			2000),
		"endless chunks": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 40),
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := rawDevice(t, func(c net.Conn) {
					req, err := http.ReadRequest(bufio.NewReader(c))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, text)
					// Closing with bytes unread would reset the connection.
					_ = c.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, c)
				})
				err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, ClassProtocol, ClassOf(err), "%v", err)
			})
		})
	}
}

func TestAnswerBeforeTheBodyIsRead(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		})
		err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", make([]byte, 8<<20)))
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
	})
}

func TestIdleConnectionClosedByTheDevice(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newTestDevice(t)
		u := newUpdate(t, "2", []byte("x"))
		require.NoError(t, c.Push(t.Context(), dev.Device, u))
		dev.server.CloseClientConnections()
		require.NoError(t, c.Verify(t.Context(), dev.Device, u), "what may be sent twice is sent again")
	})
}

func TestCancel(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		arrived := make(chan struct{}, 64)
		dev := rawDevice(t, func(c net.Conn) {
			arrived <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		})
		c := newClient(t, cfg)
		u := newUpdate(t, "2", []byte("x"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		errs := make(chan error, 64)
		for range 64 {
			wg.Go(func() { errs <- c.Push(ctx, dev, u) })
		}
		for range 64 {
			<-arrived
		}
		cancel()
		wg.Wait() // would hang if a cancel did not end an operation
		close(errs)
		for err := range errs {
			require.Equal(t, ClassCanceled, ClassOf(err))
		}
		require.Equal(t, ClassCanceled, ClassOf(c.Push(ctx, dev, u)), "a context that has ended sends nothing")
	})
}

// TestCancelLeavesTheConnectionsOfOthers checks that connections that were idle while a context was
// canceled serve another context.
func TestCancelLeavesTheConnectionsOfOthers(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newTestDevice(t)
		u := newUpdate(t, "2", []byte("x"))
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			for range 5 {
				require.NoError(t, c.Push(ctx, dev.Device, u))
			}
			cancel()
			require.NoError(t, c.Push(t.Context(), dev.Device, u))
		}
	})
}

func TestClosedClient(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newTestDevice(t)
		c.Close()
		c.Close()
		err := c.Push(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, ClassPermanent, ClassOf(err))
	})
}

func TestBadDevicesSendNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { panic("dialed") }
		c := newClient(t, cfg)
		u := newUpdate(t, "2", []byte("x"))
		for _, d := range []Device{
			{ID: "a\r\nX-Evil: 1", Address: "http://127.0.0.1:1"},
			{ID: "a\x00", Address: "http://127.0.0.1:1"},
			{ID: strings.Repeat("a", 129), Address: "http://127.0.0.1:1"},
			{Address: "http://127.0.0.1:1/\r\nHost: evil"},
			{Address: ""},
		} {
			require.Equal(t, ClassPermanent, ClassOf(c.Push(t.Context(), d, u)))
			require.Equal(t, ClassPermanent, ClassOf(c.Verify(t.Context(), d, u)))
		}
		require.Equal(t, ClassPermanent, ClassOf(c.Push(t.Context(), Device{Address: "http://127.0.0.1:1"}, nil)))
		require.Equal(t, ClassPermanent, ClassOf(c.Verify(t.Context(), Device{Address: "http://127.0.0.1:1"}, nil)))
	})
}

func TestArtifactThatFailsMidway(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := newTestDevice(t)
		src := &failingSource{size: 1 << 20}
		a, err := NewArtifact(t.Context(), src, src.size)
		require.NoError(t, err)
		u, err := NewUpdate("2", a)
		require.NoError(t, err)
		src.failFrom = 512 << 10
		err = newClient(t, cfg).Push(t.Context(), dev.Device, u)
		require.ErrorContains(t, err, "disk gone")
		require.Equal(t, ClassPermanent, ClassOf(err))
	})
}

type failingSource struct{ size, failFrom int64 }

func (s *failingSource) ReadAt(p []byte, at int64) (int, error) {
	if s.failFrom > 0 && at+int64(len(p)) > s.failFrom {
		return 0, errors.New("disk gone")
	}
	n := min(int64(len(p)), s.size-at)
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func TestErrorText(t *testing.T) {
	e := &Error{Op: OpPush, Device: "till-17", Class: ClassThrottled, Status: 503,
		Err: fmt.Errorf("%w: %q", errStatus, "busy")}
	require.EqualError(t, e, `push till-17: throttled: status 503: device refused: "busy"`)
	require.Equal(t, ClassUnknown, ClassOf(errors.New("other")))
	require.Equal(t, "class(99)", Class(99).String())
}

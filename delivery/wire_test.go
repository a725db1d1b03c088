package delivery

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// TestAnswerFromADeviceThatStopsReading has a device that answers in the middle of the upload, and
// then neither reads on nor closes. Its answer counts (RFC 9112 §9.5).
func TestAnswerFromADeviceThatStopsReading(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n"+deliverytest.JSONAnswer("403 Forbidden",
				`{"message":"not signed"}`))
			<-t.Context().Done()
		})
		for _, u := range []*Update{newUpdate(t, "2", make([]byte, 32<<20)), fileUpdate(t, 32<<20)} {
			err := newClient(t, cfg).Push(t.Context(), dev, u)
			require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
			require.ErrorContains(t, err, "not signed")
		}
	})
}

// TestAnswerBeforeAReset has a device that answers and closes with most of the upload unread, which
// resets the connection. The answer before the reset counts.
func TestAnswerBeforeAReset(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := io.CopyN(io.Discard, c, 100_000); err != nil {
				return
			}
			_, _ = io.WriteString(c, deliverytest.JSONAnswer("403 Forbidden", `{"message":"not signed"}`))
		})
		for _, u := range []*Update{newUpdate(t, "2", make([]byte, 32<<20)), fileUpdate(t, 32<<20)} {
			for range 10 {
				err := newClient(t, cfg).Push(t.Context(), dev, u)
				require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
			}
		}
	})
}

// TestStuckUpload has a device that neither reads nor answers. The client checks the upload at
// intervals, which must not undo a cancel or the deadline.
func TestStuckUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		stuck := make(chan struct{}, 2)
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err == nil {
				stuck <- struct{}{}
			}
			<-t.Context().Done()
		})
		u := newUpdate(t, "2", make([]byte, 32<<20))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		c := newClient(t, cfg)
		go func() { ended <- c.Push(ctx, dev, u) }()
		<-stuck
		cancel()
		require.Equal(t, ClassCanceled, ClassOf(<-ended))

		cfg.Timeouts.Total = 2 * exchange.CheckInterval
		require.Equal(t, ClassTimeout, ClassOf(newClient(t, cfg).Push(t.Context(), dev, u)))
	})
}

// TestUploadToASlowDevice has a device that stops reading for longer than CheckInterval, and sends
// an interim answer. The client must not give up.
func TestUploadToASlowDevice(t *testing.T) {
	body := make([]byte, 16<<20)
	for i := range body {
		body[i] = byte(i >> 10)
	}
	deadlines := make(chan struct{}, 64)
	dev := rawDevice(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		for range 3 { // the deadline of the upload, and those of two checks
			<-deadlines
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) {
			_, _ = io.WriteString(c, deliverytest.JSONAnswer("422 Unprocessable", `{"message":"other bytes"}`))
			return
		}
		_, _ = io.WriteString(c, deliverytest.Good(r))
	})
	c := newClient(t, Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &deadlineConn{nc.(*net.TCPConn), deadlines}, nil
	}})
	require.NoError(t, c.Push(t.Context(), dev, newUpdate(t, "2", body)))
}

// deadlineConn records each deadline that is set.
type deadlineConn struct {
	*net.TCPConn
	told chan struct{}
}

func (c *deadlineConn) SetDeadline(d time.Time) error {
	select {
	case c.told <- struct{}{}:
	default:
	}
	return c.TCPConn.SetDeadline(d)
}

// TestRetryAfterInAnyCase checks that the case of a header name doesn't matter (RFC 9110 §5.1).
func TestRetryAfterInAnyCase(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := scriptedDevice(t, func(int, int, *http.Request) string {
			return "HTTP/1.1 503 Busy\r\nretry-after: Thu, 01 Jan 2026 00:00:09 GMT\r\nDATE: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n"
		})
		err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		require.Equal(t, 9*time.Second, e.RetryAfter)
	})
}

// TestBrokenFraming checks that answers that break HTTP are errors of ClassProtocol over either
// transport.
func TestBrokenFraming(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"bad length":            ok + "Content-Length: 1x\r\n\r\n{}",
		"negative length":       ok + "Content-Length: -2\r\n\r\n{}",
		"two lengths":           ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"endless length":        ok + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"over the limit":        ok + "Content-Length: 1000000\r\n\r\n{}",
		"bad chunk length":      ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"huge chunk length":     ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		"chunk without its end": ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
		"chunks cut":            ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"two codings":           ok + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"another coding":        ok + "Transfer-Encoding: gzip\r\n\r\n",
		"bad header":            "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
		"bad status":            "HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n",
		"long header":           "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"1xx without end":       strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 1000),
		"gzip":                  ok + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := rawDevice(t, func(c net.Conn) {
					r, err := http.ReadRequest(bufio.NewReader(c))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, text)
					_ = c.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, c)
				})
				err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, ClassProtocol, ClassOf(err), "%v", err)
			})
		})
	}
}

// TestRequestLine checks that the path is sent as it was given, over either transport.
func TestRequestLine(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		lines := make(chan string, 1)
		dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
			lines <- r.RequestURI
			return deliverytest.Good(r)
		})
		dev.Address += "//a!b'(c)*;d=1/"
		require.NoError(t, newClient(t, cfg).Verify(t.Context(), dev, newUpdate(t, "2", []byte("x"))))
		require.Equal(t, "//a!b'(c)*;d=1/version", <-lines)
	})
}

// TestRefusedIsNoRequest checks that a request of which nothing was sent is not counted.
func TestRefusedIsNoRequest(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		c := newClient(t, cfg)
		require.Equal(t, ClassNotSent, ClassOf(c.Verify(t.Context(), Device{Address: "http://127.0.0.1:1"},
			newUpdate(t, "2", []byte("x")))))
		require.EqualValues(t, 0, c.Stats().Requests)
		require.EqualValues(t, 1, c.Stats().Dials)
	})
}

// TestAnswerTimeoutStartsAfterTheRequest checks that a slow connect doesn't count against
// Timeouts.Answer.
func TestAnswerTimeoutStartsAfterTheRequest(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Config{
					Transport: tr,
					Timeouts:  Timeouts{Dial: 5 * time.Second, Answer: time.Second},
					Dial: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() {
							defer far.Close()
							br := bufio.NewReader(far)
							r, err := http.ReadRequest(br)
							if err != nil {
								return
							}
							_, _ = io.WriteString(far, deliverytest.Good(r))
							_, _ = br.ReadByte()
						}()
						<-time.After(3 * time.Second)
						return near, nil
					},
				})
				require.NoError(t, err)
				defer c.Close()
				require.NoError(t, c.Verify(t.Context(), Device{Address: "http://till-17"}, newUpdate(t, "2", []byte("x"))))
			})
		})
	}
}

// TestHandshakeThatEnds checks that nothing of the request was sent, so that it may be retried at
// once.
func TestHandshakeThatEnds(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		// If the client's greeting were left unread, the close would be a reset.
		dev := rawDevice(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) })
		dev.Address = strings.Replace(dev.Address, "http", "https", 1)
		report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassNotSent, ClassOf(err), "%v", err)
		require.Equal(t, []int{4, 0}, []int{report.Pushes, report.Verifies})
	})
}

func TestHandshakeThatStalls(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		dev.Address = strings.Replace(dev.Address, "http", "https", 1)
		cfg.Timeouts.TLS = 10 * time.Millisecond
		report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassTimeout, ClassOf(err), "%v", err)
		require.Equal(t, []int{4, 0}, []int{report.Pushes, report.Verifies}, "nothing to verify: nothing was sent")
	})
}

func TestPlainHTTPWhereTLSBelongs(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := newTestDevice(t).Device
		dev.Address = strings.Replace(dev.Address, "http", "https", 1)
		err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
	})
}

// TestTLSConfigThatOffersHTTP2 checks that lean uses HTTP/1.1, whatever the configuration offers.
func TestTLSConfigThatOffersHTTP2(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		s := httptest.NewUnstartedServer((&testDevice{version: "1", state: "idle"}).handler())
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		cfg.TLS = &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}
		c := newClient(t, cfg)
		_, err := c.Deliver(t.Context(), Device{ID: "till-17", Address: s.URL}, newUpdate(t, "2", make([]byte, 1<<20)))
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Stats().Dials)
	})
}

func (d *testDevice) handler() http.Handler { return http.HandlerFunc(d.serve) }

// TestLongGarbageIsClipped checks that an error quotes only the beginning of a long answer, because
// an error is a line in a log, and a device may send back a secret of the request.
func TestLongGarbageIsClipped(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := scriptedDevice(t, func(int, int, *http.Request) string {
			return strings.Repeat("x", 3000) + "\r\n\r\n"
		})
		err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassProtocol, ClassOf(err))
		require.Less(t, len(err.Error()), 400)
	})
}

// TestArtifactThatShrinks checks that a file that is truncated during a push is reported as the
// client's fault, and that the push isn't repeated.
func TestArtifactThatShrinks(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		path := filepath.Join(t.TempDir(), "firmware.bin")
		require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
		a, err := OpenArtifact(t.Context(), path)
		require.NoError(t, err)
		defer a.Close()
		u, err := NewUpdate("2", a)
		require.NoError(t, err)
		dev, c := newTestDevice(t), newClient(t, cfg)

		require.NoError(t, os.Truncate(path, 300_000))
		report, err := c.Deliver(t.Context(), dev.Device, u)
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorContains(t, err, "reading artifact at byte 300000")
		require.Equal(t, 1, report.Pushes)

		require.NoError(t, os.Truncate(path, 0))
		_, err = c.Deliver(t.Context(), dev.Device, u)
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorContains(t, err, "reading artifact at byte 0")

		require.NoError(t, os.Truncate(path, 2<<20)) // the file has grown, and has the same first bytes
		_, err = c.Deliver(t.Context(), dev.Device, u)
		require.NoError(t, err)
	})
}

// TestSourceThatBreaksItsContract has a source that returns fewer bytes than asked for, and no
// error.
func TestSourceThatBreaksItsContract(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := newTestDevice(t)
		src := &shortSource{}
		a, err := NewArtifact(t.Context(), src, 1<<20)
		require.NoError(t, err)
		u, err := NewUpdate("2", a)
		require.NoError(t, err)
		src.short = true
		err = newClient(t, cfg).Push(t.Context(), dev.Device, u)
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

type shortSource struct{ short bool }

func (s *shortSource) ReadAt(p []byte, at int64) (int, error) {
	if s.short && at > 500_000 {
		return 0, nil
	}
	clear(p)
	return len(p), nil
}

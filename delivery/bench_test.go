package delivery

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// benchSize is the artifact of the benchmarks, in bytes: one packet's worth and a
// bit, so that what is measured is an operation, not copying.
const benchSize = 1 << 10

// fixedDevice answers every push and every verification with the same bytes and
// works as little as it can, so that a benchmark holds the client. It reads with
// the codec and takes any artifact for the one of its answers.
type fixedDevice struct {
	Device
	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
}

func newFixedDevice(tb testing.TB, u *Update) *fixedDevice {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	d := &fixedDevice{listener: l, conns: map[net.Conn]struct{}{}}
	d.Device = Device{ID: "till-17", Address: "http://" + l.Addr().String()}
	pushed := fixedAnswer(tb, wire.UpdateAnswer{Success: true, Message: "applied", Size: u.artifact.size, Digest: u.digestHex})
	verified := fixedAnswer(tb, wire.VersionAnswer{DeviceID: d.ID, Version: u.version, Digest: u.digestHex, State: wire.StateIdle, UpdatedAt: "2026-01-01T00:00:00Z"})
	d.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.conns[c] = struct{}{}
			d.mu.Unlock()
			d.wg.Go(func() { d.serve(c, pushed, verified) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		d.mu.Lock()
		for c := range d.conns {
			c.Close()
		}
		d.mu.Unlock()
		d.wg.Wait()
	})
	return d
}

func fixedAnswer(tb testing.TB, body any) []byte {
	b, err := json.Marshal(body)
	require.NoError(tb, err)
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
}

func (d *fixedDevice) serve(c net.Conn, pushed, verified []byte) {
	defer c.Close()
	br := bufio.NewReaderSize(c, 64<<10)
	var h fasthttp.RequestHeader
	h.DisableNormalizing()
	for {
		if err := h.Read(br); err != nil {
			return
		}
		text := verified
		if h.IsPost() {
			text = pushed
			for rest := h.ContentLength(); rest > 0; {
				n, err := br.Discard(min(rest, br.Size()))
				if err != nil {
					return
				}
				rest -= n
			}
		}
		if _, err := c.Write(text); err != nil {
			return
		}
	}
}

func benchClient(b *testing.B, tr Transport, size int) (*Client, *Update, Device) {
	u := newUpdate(b, "2.0.0", make([]byte, size))
	c := newClient(b, Config{Transport: tr})
	return c, u, newFixedDevice(b, u).Device
}

func perOperation(b *testing.B, tr Transport, operation func(context.Context, *Client, Device, *Update) error) {
	c, u, d := benchClient(b, tr, benchSize)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := operation(ctx, c, d, u); err != nil {
			b.Fatal(err)
		}
	}
}

func atWorkers(b *testing.B, tr Transport, workers int, operation func(context.Context, *Client, Device, *Update) error) {
	c, u, d := benchClient(b, tr, benchSize)
	ctx := b.Context()
	b.ReportAllocs()
	b.SetParallelism(max(1, workers/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := operation(ctx, c, d, u); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func push(ctx context.Context, c *Client, d Device, u *Update) error   { return c.Push(ctx, d, u) }
func verify(ctx context.Context, c *Client, d Device, u *Update) error { return c.Verify(ctx, d, u) }

// BenchmarkPush is one push of 1 KiB over a kept-alive connection by the default
// transport; the device answers in the same process.
func BenchmarkPush(b *testing.B) { perOperation(b, Lean, push) }

// BenchmarkVerify is one verification, likewise.
func BenchmarkVerify(b *testing.B) { perOperation(b, Lean, verify) }

func BenchmarkPushNetHTTP(b *testing.B)   { perOperation(b, NetHTTP, push) }
func BenchmarkVerifyNetHTTP(b *testing.B) { perOperation(b, NetHTTP, verify) }

// BenchmarkPush64 has 64 workers on as many connections.
func BenchmarkPush64(b *testing.B) { atWorkers(b, Lean, 64, push) }

// BenchmarkDeliver is a push and a verification.
func BenchmarkDeliver(b *testing.B) {
	perOperation(b, Lean, func(ctx context.Context, c *Client, d Device, u *Update) error {
		_, err := c.Deliver(ctx, d, u)
		return err
	})
}

// BenchmarkYardstickNetHTTP is the least that a plain net/http client and server
// do for the same push: the body is read on both sides, nothing is checked.
func BenchmarkYardstickNetHTTP(b *testing.B) {
	answer, err := json.Marshal(wire.UpdateAnswer{Success: true, Message: "applied", Size: benchSize})
	require.NoError(b, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(answer); err != nil {
			return
		}
	}))
	defer s.Close()
	c, u := s.Client(), newUpdate(b, "2.0.0", make([]byte, benchSize))
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/update", u.artifact.Reader())
		if err != nil {
			b.Fatal(err)
		}
		req.ContentLength = u.artifact.size
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("X-Update-Version", u.version)
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkYardstickBareSockets passes as many bytes each way over a connection,
// with no HTTP at all: the limit.
func BenchmarkYardstickBareSockets(b *testing.B) {
	const headers, answer = 300, 250
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in, out := make([]byte, headers+benchSize), make([]byte, answer)
		for {
			if _, err := io.ReadFull(c, in); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	})
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(b, err)
	out, in := make([]byte, headers+benchSize), make([]byte, answer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, in); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, c.Close())
	require.NoError(b, l.Close())
	wg.Wait()
}

package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// benchSize is the artifact of the benchmarks, in bytes: one packet's worth and a
// bit, so that what is measured is an operation, not copying.
const benchSize = 1 << 10

// fixedDevice answers every push and every verification with the same bytes and
// works as little as it can, so that a benchmark holds the client. It takes any
// artifact for the one of its answers, and having no clock it sends no Date (RFC
// 9110 §6.6.1).
type fixedDevice struct {
	Device
	size     int64 // of its artifact
	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
}

func newFixedDevice(tb testing.TB, u *Update) *fixedDevice {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	d := &fixedDevice{size: u.artifact.size, listener: l, conns: map[net.Conn]struct{}{}}
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
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
}

func (d *fixedDevice) serve(c net.Conn, pushed, verified []byte) {
	defer c.Close()
	// As little as can be: a head ends with a blank line, a push is of one size, and
	// nobody sends before the answer to the last request.
	buf := make([]byte, 64<<10)
	for {
		n, end := 0, -1
		for end < 0 {
			more, err := c.Read(buf[n:])
			if err != nil {
				return
			}
			n += more
			end = bytes.Index(buf[:n], []byte("\r\n\r\n"))
		}
		text, rest := verified, int64(end+4-n)
		if buf[0] == 'P' {
			text, rest = pushed, rest+d.size
		}
		for rest > 0 {
			n, err := c.Read(buf[:min(rest, int64(len(buf)))])
			if err != nil {
				return
			}
			rest -= int64(n)
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

// fileSize is what a real artifact may have, in bytes.
const fileSize = 10 << 20

// pushFile is a push of 10 MiB from a file.
func pushFile(b *testing.B, tr Transport) {
	path := filepath.Join(b.TempDir(), "firmware.bin")
	require.NoError(b, os.WriteFile(path, make([]byte, fileSize), 0o600))
	a, err := OpenArtifact(b.Context(), path)
	require.NoError(b, err)
	defer a.Close()
	u, err := NewUpdate("2.0.0", a)
	require.NoError(b, err)
	c, d, ctx := newClient(b, Config{Transport: tr}), newFixedDevice(b, u).Device, b.Context()
	b.SetBytes(fileSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Push(ctx, d, u); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPush10MiB(b *testing.B)        { pushFile(b, Lean) }
func BenchmarkPush10MiBNetHTTP(b *testing.B) { pushFile(b, NetHTTP) }

// BenchmarkDeliver is a push and a verification.
func BenchmarkDeliver(b *testing.B) {
	perOperation(b, Lean, func(ctx context.Context, c *Client, d Device, u *Update) error {
		_, err := c.Deliver(ctx, d, u)
		return err
	})
}

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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// benchSize is the size of the benchmarks' artifact, in bytes: a little more than one packet holds,
// so that an operation is measured and not copying.
const benchSize = 1 << 10

// fixedDevice answers every push and every verification with the same bytes, and works as little as
// it can, so that a benchmark measures the client. It takes any artifact for the one of its
// answers. It has no clock, so it sends no Date (RFC 9110 §6.6.1).
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
	d := &fixedDevice{size: u.artifact.Size(), listener: l, conns: map[net.Conn]struct{}{}}
	d.Device = Device{ID: "till-17", Address: "http://" + l.Addr().String()}
	pushed, verified := fixedAnswer(tb, pushed(u)), fixedAnswer(tb, verified(u))
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
	// This reads as little as possible: a head ends with a blank line, all pushes have one size,
	// and the client sends nothing before the answer to the last request.
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

func atWorkers(b *testing.B, tr Transport, workers int,
	operation func(context.Context, *Client, Device, *Update) error) {
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

// cannedConn answers every request at once, from memory, so that an operation over it takes only
// the client's own time, and none of a system's.
type cannedConn struct {
	net.Conn
	answer, rest []byte
}

func (c *cannedConn) Write(p []byte) (int, error) {
	c.rest = c.answer
	return len(p), nil
}

func (c *cannedConn) Read(p []byte) (int, error) {
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (*cannedConn) SetDeadline(time.Time) error { return nil }
func (*cannedConn) Close() error                { return nil }

// own runs an operation over connections of type cannedConn, to a number of devices in turn.
func own(b *testing.B, devices int, answer func(*Update) any,
	operation func(context.Context, *Client, Device, *Update) error) {
	ownOver(b, devices, "", answer, operation)
}

func ownOver(b *testing.B, devices int, header string, answer func(*Update) any,
	operation func(context.Context, *Client, Device, *Update) error) {
	u := newUpdate(b, "2.0.0", make([]byte, benchSize))
	text := bytes.Replace(fixedAnswer(b, answer(u)), []byte("\r\n"), []byte("\r\n"+header), 1)
	c := newClient(b, Config{MaxIdle: devices, Dial: func(context.Context, string, string) (net.Conn, error) {
		return &cannedConn{answer: text}, nil
	}})
	fleet := make([]Device, devices)
	ctx := b.Context()
	for i := range fleet {
		fleet[i] = Device{ID: "till-17", Address: fmt.Sprintf("http://127.%d.%d.%d:8080", 1+i>>16, i>>8&255, i&255)}
		require.NoError(b, operation(ctx, c, fleet[i], u))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := operation(ctx, c, fleet[i%devices], u); err != nil {
			b.Fatal(err)
		}
	}
}

func pushed(u *Update) any {
	return wire.UpdateAnswer{Success: true, Message: "applied", Size: u.artifact.Size(), Digest: u.digestHex}
}

func verified(u *Update) any {
	return wire.VersionAnswer{DeviceID: "till-17", Version: u.version, Digest: u.digestHex, State: wire.StateIdle,
		UpdatedAt: "2026-01-01T00:00:00Z"}
}

// BenchmarkPushOwn is a push over a cannedConn.
func BenchmarkPushOwn(b *testing.B) { own(b, 1, pushed, push) }

// BenchmarkPushOwn10000 is a push to 10,000 devices in turn, each with its own cannedConn.
func BenchmarkPushOwn10000(b *testing.B) { own(b, 10_000, pushed, push) }

// BenchmarkPushOwnFresh is a push over a new cannedConn each, which the device then closes.
func BenchmarkPushOwnFresh(b *testing.B) {
	ownOver(b, 1, "Connection: close\r\n", pushed, push)
}

// BenchmarkVerifyOwn is a verification over a cannedConn.
func BenchmarkVerifyOwn(b *testing.B) { own(b, 1, verified, verify) }

// BenchmarkPush64 has 64 workers on as many connections.
func BenchmarkPush64(b *testing.B) { atWorkers(b, Lean, 64, push) }

// fileSize is a realistic size of an artifact, in bytes.
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

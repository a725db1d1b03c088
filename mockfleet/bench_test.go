package mockfleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// replayConn is a connection in memory: it reads the same request again and again, and forgets what
// is written.
type replayConn struct {
	request []byte
	at      int
	wrote   []byte
}

func (c *replayConn) Read(p []byte) (int, error) {
	n := copy(p, c.request[c.at:])
	c.at = (c.at + n) % len(c.request)
	return n, nil
}

func (c *replayConn) Write(p []byte) (int, error) {
	c.wrote = append(c.wrote[:0], p...)
	return len(p), nil
}

func (*replayConn) Close() error                     { return nil }
func (*replayConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*replayConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*replayConn) SetDeadline(time.Time) error      { return nil }
func (*replayConn) SetReadDeadline(time.Time) error  { return nil }
func (*replayConn) SetWriteDeadline(time.Time) error { return nil }

func pushRequest(path string, artifact []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Length: %d\r\nX-Device-ID: device-00000007\r\nX-Update-Version: 2.0.0\r\nIdempotency-Key: a-key-of-some-length\r\n"+
		"Repr-Digest: %s\r\n\r\n", path, len(artifact), reprDigest(artifact)), artifact...)
}

// replay makes a connection of device 7 that answers request without a network.
func replay(request []byte) (server.Session, *replayConn) { return replayTo(Config{}, request) }

func replayTo(cfg Config, request []byte) (server.Session, *replayConn) {
	memory := &replayConn{request: request}
	cfg.Devices = 8
	f := newFleet(cfg.withDefaults())
	return f.server.NewSession(memory, 7), memory
}

func answerOnce(tb testing.TB, s server.Session) {
	if !s.Next() {
		tb.Fatal("the connection ended")
	}
}

var hotPaths = []struct {
	name    string
	request []byte
	want    string
}{
	{"push", pushRequest(wire.PathUpdate, bytes.Repeat([]byte("a"), 1024)), `"success":true`},
	{"push64KiB", pushRequest(wire.PathUpdate, bytes.Repeat([]byte("a"), 64<<10)), `"success":true`},
	{"verify", []byte("GET /version HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"), `"device_id":"device-00000007"`},
	{"health", []byte("GET /health HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"), "\r\n\r\nOK"},
}

func benchmarkAnswer(b *testing.B, which int) {
	c, _ := replay(hotPaths[which].request)
	b.ReportAllocs()
	for b.Loop() {
		answerOnce(b, c)
	}
}

func BenchmarkAnswerPush(b *testing.B)   { benchmarkAnswer(b, 0) }
func BenchmarkAnswerVerify(b *testing.B) { benchmarkAnswer(b, 2) }

// BenchmarkServer compares a device with a bare fasthttp server that reads the body and answers the
// same JSON, over loopback connections, one a parallel worker.
func BenchmarkServer(b *testing.B) {
	request := pushRequest(wire.PathUpdate, bytes.Repeat([]byte("a"), 1024))
	b.Run("server=device", func(b *testing.B) {
		f := startFleet(b, Config{Devices: 8, Addressing: address.Port})
		drive(b, f.DeviceAddress(7), request)
	})
	b.Run("server=fasthttp", func(b *testing.B) { drive(b, startBareServer(b, false), request) })
	b.Run("server=fasthttp-hashing", func(b *testing.B) { drive(b, startBareServer(b, true), request) })
}

func startBareServer(b *testing.B, hash bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := bareServer(hash)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	b.Cleanup(func() {
		require.NoError(b, server.Shutdown())
		require.NoError(b, <-served)
	})
	return "http://" + l.Addr().String()
}

// bareServer reads the body and answers what a device answers to all but the first of the same updates.
func bareServer(hash bool) *fasthttp.Server {
	return &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		body := ctx.PostBody()
		var digest [sha256.Size]byte
		if hash {
			digest = sha256.Sum256(body)
		}
		ctx.Response.Header.SetContentType(wire.TypeJSON)
		ctx.Response.SetBody(appendRepeatAnswer(ctx.Response.Body()[:0], len(body), digest[:]))
	}}
}

// drive sends the same request over kept connections, and reads each answer by its length alone,
// so that the client costs little.
func drive(b *testing.B, address string, request []byte) {
	b.SetParallelism(32) // by GOMAXPROCS
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", address[len("http://"):])
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		buffer := make([]byte, 4096)
		for pb.Next() {
			if _, err := nc.Write(request); err != nil {
				b.Error(err)
				return
			}
			n, err := nc.Read(buffer)
			if err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 200 ")) {
				b.Errorf("%q, %v", buffer[:n], err)
				return
			}
		}
	})
}

// appendRepeatAnswer appends what a device answers to an update that it runs already.
func appendRepeatAnswer(dst []byte, size int, digest []byte) []byte {
	dst = append(dst, `{"success":true,"message":"already","size":`...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, `,"digest":"`...)
	dst = hex.AppendEncode(dst, digest)
	return append(dst, `"}`...)
}

package mockfleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

func pushRequest(path string, artifact []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Length: %d\r\nX-Device-ID: device-00000007\r\nX-Update-Version: 2.0.0\r\nIdempotency-Key: a-key-of-some-length\r\n"+
		"Repr-Digest: %s\r\n\r\n", path, len(artifact), reprDigest(artifact)), artifact...)
}

// BenchmarkServer compares a device with a bare fasthttp server that reads the body and answers the
// same JSON. Each parallel worker has one loopback connection.
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

// bareServer returns a server that reads the body and answers what a device answers to a repeated
// update.
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

// drive sends the same request again and again over kept connections. It finds the end of each
// answer by its length alone, so that the client costs little.
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

// appendRepeatAnswer appends the answer of a device to an update that it runs already.
func appendRepeatAnswer(dst []byte, size int, digest []byte) []byte {
	dst = append(dst, `{"success":true,"message":"already","size":`...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, `,"digest":"`...)
	dst = hex.AppendEncode(dst, digest)
	return append(dst, `"}`...)
}

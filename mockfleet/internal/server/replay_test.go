package server

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// replayConn is an in-memory connection: it reads the same request again and again, and keeps only
// the last write.
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

// replay returns a connection of device 7 that answers request without a network.
func replay(b behavior.Behavior, request []byte) (*conn, *replayConn) {
	memory := &replayConn{request: request}
	return newConn(New(testConfig(8, address.DefaultMode(), b)), memory, 7), memory
}

func answerOnce(tb testing.TB, c *conn) {
	if !c.serveOnce() {
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
	c, _ := replay(behavior.Behavior{}, hotPaths[which].request)
	b.ReportAllocs()
	for b.Loop() {
		answerOnce(b, c)
	}
}

func BenchmarkAnswerPush(b *testing.B)   { benchmarkAnswer(b, 0) }
func BenchmarkAnswerVerify(b *testing.B) { benchmarkAnswer(b, 2) }

package server

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testDeadline ends a test that would otherwise hang; no test waits for it to pass.
const testDeadline = 20 * time.Second

const (
	askVersion = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
	askHealth  = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
)

// testConfig returns the configuration of a server whose devices all have behavior b.
func testConfig(devices int, mode address.Mode, b behavior.Behavior) Config {
	return Config{
		Listen: "127.0.0.1:0", Addressing: mode, MaxConnections: 1 << 16,
		Devices: device.Config{Devices: devices, InitialVersion: "1.0.0", Behavior: b.WithDefaults()},
	}
}

// startServer starts a server that closes with the test.
func startServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	s := New(cfg)
	require.NoError(t, s.Listen(context.Background()))
	require.NoError(t, s.Serve())
	t.Cleanup(func() {
		select {
		case <-s.done: // the test has closed it
		default:
			require.NoError(t, s.Close())
		}
	})
	return s
}

// inBubble serves one in-memory connection to device 0, under a clock that the test moves.
func inBubble(t *testing.T, b behavior.Behavior, test func(t *testing.T, s *Server, client net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(testConfig(1, address.DefaultMode(), b))
		s.KeepTime()
		client, server := net.Pipe()
		require.True(t, s.ServeConn(server, 0))
		test(t, s, client)
		require.NoError(t, errors.Join(s.Close(), client.Close()))
	})
}

// client is a connection to a device.
type client struct {
	*net.TCPConn
	t      testing.TB
	reader *bufio.Reader
}

func dial(t testing.TB, s *Server, i int) *client {
	t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(s.DeviceAddress(i), "http://"), "/")
	nc, err := net.Dial("tcp", host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(testDeadline)))
	return &client{nc.(*net.TCPConn), t, bufio.NewReader(nc)}
}

// ask sends a request, reads its answer and requires that it succeeded.
func (c *client) ask(request string) {
	c.t.Helper()
	_, err := io.WriteString(c, request)
	require.NoError(c.t, err)
	response, err := http.ReadResponse(c.reader, nil)
	require.NoError(c.t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, response.StatusCode)
}

// pushRequest returns a push that names device 7. Other devices count it as misdirected and take
// it.
func pushRequest(path string, artifact []byte) []byte {
	sum := sha256.Sum256(artifact)
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Length: %d\r\nX-Device-ID: device-00000007\r\nX-Update-Version: 2.0.0\r\nIdempotency-Key: a-key-of-some-length\r\n"+
		"Repr-Digest: sha-256=:%s:\r\n\r\n", path, len(artifact), base64.StdEncoding.EncodeToString(sum[:])), artifact...)
}

// eventually waits for a condition that the housekeeper or another goroutine makes true.
func eventually(t testing.TB, what func() bool) {
	t.Helper()
	require.Eventually(t, what, testDeadline, time.Millisecond)
}

// serveOnce serves one request of a connection without a goroutine. It reports whether the
// connection goes on.
func (c *conn) serveOnce() bool {
	if ready, _ := c.waitRequest(); !ready || !c.serveNext() {
		return false
	}
	if c.buf.reader.Buffered() == 0 {
		c.putBuffers()
	}
	return true
}

// each calls do for every open connection, under the lock of the table.
func (t *connTable) each(do func(c *conn)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := t.first; c != nil; c = c.next {
		do(c)
	}
}

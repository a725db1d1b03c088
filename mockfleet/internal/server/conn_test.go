package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

func TestAConnectionExpires(t *testing.T) {
	const halfPush = "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"
	for name, test := range map[string]struct {
		sent  string
		limit time.Duration
	}{
		"without a request":  {"", IdleLimit},
		"within a head":      {"GET /health HT", stallLimit},
		"within a body":      {halfPush, stallLimit},
		"within a tiny body": {strings.Replace(halfPush, "100000", "10", 1), stallLimit},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, behavior.Behavior{}, func(t *testing.T, s *Server, client net.Conn) {
				begun := time.Now()
				if test.sent != "" { // a pipe delivers an empty write as a read of 0 bytes
					_, err := io.WriteString(client, test.sent)
					require.NoError(t, err)
				}
				_, err := client.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.GreaterOrEqual(t, time.Since(begun), test.limit)
				require.LessOrEqual(t, time.Since(begun), test.limit+2*clockResolution)
				require.Zero(t, s.Traffic().Malformed)
			})
		})
	}
}

func TestASlowBodyThatGoesOnDoesNotExpire(t *testing.T) {
	inBubble(t, behavior.Behavior{}, func(t *testing.T, _ *Server, client net.Conn) {
		const size = 20_000
		_, err := fmt.Fprintf(client, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
		require.NoError(t, err)
		for range size / 1000 {
			time.Sleep(stallLimit - time.Second) // the bubble's clock
			_, err = client.Write(make([]byte, 1000))
			require.NoError(t, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
	})
}

func TestTheDateMoves(t *testing.T) {
	inBubble(t, behavior.Behavior{}, func(t *testing.T, _ *Server, client net.Conn) {
		reader := bufio.NewReader(client)
		for range 3 {
			time.Sleep(10*time.Second + 700*time.Millisecond)
			_, err := io.WriteString(client, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			at, err := http.ParseTime(response.Header.Get("Date"))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), at, time.Second+clockResolution)
		}
	})
}

func TestTheMemoryOfALargeBodyIsConstant(t *testing.T) {
	s := New(testConfig(8, address.DefaultMode(), behavior.Behavior{}))
	const size = 256 << 20
	head := fmt.Appendf(nil, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	allocated := testing.AllocsPerRun(1, func() {
		require.True(t, newConn(s, &zeroConn{head: bytes.NewReader(head), left: size}, 7).serveOnce())
	})
	require.Less(t, allocated, 100.0)
	require.EqualValues(t, 2*size, s.store.Totals().BytesReceived)
}

// zeroConn reads a head and then zeros without end.
type zeroConn struct {
	replayConn
	head *bytes.Reader
	left int
}

func (c *zeroConn) Read(p []byte) (int, error) {
	if c.head.Len() > 0 {
		return c.head.Read(p)
	}
	n := min(len(p), c.left)
	c.left -= n
	clear(p[:n])
	return n, nil
}
func FuzzConnection(f *testing.F) {
	f.Add([]byte("GET /version HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add(pushRequest("/update", []byte("abc")))
	f.Add([]byte("POST /update HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("POST /update HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n"))
	f.Add([]byte("POST http://a/update?b HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"))
	s := New(testConfig(8, address.DefaultMode(), behavior.Behavior{}))
	f.Fuzz(func(t *testing.T, input []byte) {
		s.store.Reset()
		script := &scriptConn{input: bytes.NewReader(input)}
		c := newConn(s, script, 7)
		require.True(t, s.conns.add(c))
		c.serve()
		require.Nil(t, c.buf)
		require.Zero(t, s.Traffic().Connections)
		entries := device.NewEntryReader(s.store)
		for i := range s.store.Len() {
			e, _ := entries.Read(i, true)
			require.Equal(t, e.Pushes, e.Applied+e.Repeats+e.Rejected+e.Incomplete)
			require.EqualValues(t, "idle", e.State)
		}
		// Whatever the input, the output is a sequence of well-formed answers.
		out := bufio.NewReader(&script.output)
		for {
			if _, err := out.Peek(1); err == io.EOF {
				return
			}
			response, err := http.ReadResponse(out, nil)
			require.NoError(t, err)
			if response.StatusCode != http.StatusContinue && !bytes.HasPrefix(input, []byte("HEAD")) {
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(t, err)
			}
		}
	})
}

// scriptConn is a connection that reads prepared input and keeps the output.
type scriptConn struct {
	replayConn
	input  *bytes.Reader
	output bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error)  { return c.input.Read(p) }
func (c *scriptConn) Write(p []byte) (int, error) { return c.output.Write(p) }

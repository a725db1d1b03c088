package delivery

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/stretchr/testify/require"
)

// FuzzHead checks that net/http reads a request as it was meant and nothing more, whatever device,
// version and header pass the checks.
func FuzzHead(f *testing.F) {
	f.Add("till-17", "http://till:8080/d/7", "2.0.0", "Bearer abc")
	f.Add("größe", "https://[::1]", "2.0 beta", "")
	f.Add("a\r\nX-Evil: 1", "http://a/\r\n", "2\x00", "b\r\nc")
	f.Fuzz(func(t *testing.T, id, address, version, secret string) {
		d, cfg := Device{ID: id, Address: address}, Config{Header: http.Header{"Authorization": {secret}}}
		to, err := d.target()
		if err != nil || cfg.Validate() != nil {
			return
		}
		a, err := ArtifactFromBytes([]byte("x"))
		require.NoError(t, err)
		u, err := NewUpdate(version, a)
		if err != nil {
			return
		}
		var wire sink
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return &wire, nil }
		x := exchange.Exchange{Request: exchange.Request{To: to}}
		x.Request.To.TLS = false // the head is the same
		native{}.askPush(&x.Request, d, u)
		require.ErrorIs(t, cfg.withDefaults().newTransport(&exchange.Counters{}).RoundTrip(t.Context(), &x), io.EOF)
		out := &wire.got
		r, err := http.ReadRequest(bufio.NewReader(out))
		require.NoError(t, err, "%q", out.Bytes())
		require.Equal(t, "POST", r.Method)
		require.Equal(t, to.PathPrefix+"/update", r.RequestURI)
		require.Equal(t, to.Host, r.Host)
		require.Equal(t, id, r.Header.Get("X-Device-Id"))
		require.Equal(t, version, r.Header.Get("X-Update-Version"))
		require.EqualValues(t, 1, r.ContentLength)
		require.LessOrEqual(t, len(r.Header), 8)
		require.Equal(t, "x", bodyOf(r))
		require.Zero(t, out.Len())
	})
}

// sink is a connection that takes what is written, and whose reads return the end at once.
type sink struct {
	net.Conn
	got bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) { return s.got.Write(p) }
func (*sink) Read([]byte) (int, error)      { return 0, io.EOF }
func (*sink) SetDeadline(time.Time) error   { return nil }
func (*sink) Close() error                  { return nil }

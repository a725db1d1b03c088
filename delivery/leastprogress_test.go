package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

func TestLeastProgressDefaults(t *testing.T) {
	require.Equal(t, LeastProgress{PerSecond: 1024, Window: 30 * time.Second}, LeastProgress{}.withDefaults())
}

// TestLimits checks the limits that transports get from a configuration, with defaults and with
// every field set.
func TestLimits(t *testing.T) {
	require.Equal(t, exchange.Limits{
		Dial: 5 * time.Second, TLSHandshake: 5 * time.Second, Response: 10 * time.Second, ExpectContinue: time.Second,
		MinThroughput:   exchange.MinThroughput{BytesPerSecond: 1024, Window: 30 * time.Second},
		MaxResponseHead: 4 << 10, MaxResponseBody: 64 << 10,
	}, Config{}.withDefaults().limits())
	require.Equal(t, exchange.Limits{
		Dial: 1, TLSHandshake: 2, Response: 3, Request: 4, ExpectContinue: 5,
		MinThroughput:   exchange.MinThroughput{BytesPerSecond: 6, Window: 7},
		MaxResponseHead: 8, MaxResponseBody: 9,
	}, Config{
		Timeouts: Timeouts{Dial: 1, TLS: 2, Answer: 3, Total: 4, Continue: 5,
			LeastProgress: LeastProgress{PerSecond: 6, Window: 7}},
		MaxAnswerHead: 8, MaxAnswer: 9,
	}.withDefaults().limits())
}

// slowReader is a device over a pipe, which buffers nothing: only what it reads is sent. It reads
// one chunk per pause, stops after limit bytes, and then sends its answer.
type slowReader struct {
	chunk, limit int
	pause        time.Duration
	says         string // "" for a good answer to the whole
	tls          *tls.Config
}

func (s slowReader) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	closed := make(chan struct{})
	go s.serve(far, closed)
	return &closeHook{near, sync.OnceFunc(func() { close(closed) })}, nil
}

func (s slowReader) serve(c net.Conn, closed chan struct{}) {
	if s.tls != nil {
		c = tls.Server(c, s.tls)
	}
	br := bufio.NewReaderSize(c, 16)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	p := make([]byte, s.chunk)
	for read := 0; read < s.limit; {
		n, err := io.ReadFull(r.Body, p)
		read += n
		if err != nil {
			s.says = deliverytest.Good(r)
			break
		}
		select {
		case <-time.After(s.pause):
		case <-closed:
		}
	}
	_, _ = io.WriteString(c, s.says)
	<-closed
	_ = c.Close()
}

// TestLeastProgress requires 1,000 bytes a second over 10 s. A slow device above that is waited for
// however long it takes. A device below it, or one that stops, is given up soon after a window, and
// not only after Timeouts.Total.
func TestLeastProgress(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	roots, serverTLS := x509.NewCertPool(), &tls.Config{Certificates: s.TLS.Certificates}
	roots.AddCert(s.Certificate())
	s.Close()
	const all = 1 << 30
	refusal := deliverytest.JSONAnswer("403 Forbidden", `{"message":"not signed"}`)
	for name, row := range map[string]struct {
		device   slowReader
		want     Class
		from, to time.Duration
	}{
		"slow": {slowReader{chunk: 1000, limit: all, pause: time.Second / 2}, ClassUnknown,
			50 * time.Second, 51 * time.Second},
		"slow, TLS": {slowReader{chunk: 20_000, limit: all, pause: 9 * time.Second, tls: serverTLS},
			ClassUnknown, 45 * time.Second, 55 * time.Second},
		"too slow": {slowReader{chunk: 1000, limit: all, pause: 2 * time.Second}, ClassTimeout,
			10 * time.Second, 20 * time.Second},
		"stops": {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10}, ClassTimeout,
			10 * time.Second, 16 * time.Second},
		"stops, TLS": {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, tls: serverTLS},
			ClassTimeout, 10 * time.Second, 16 * time.Second},
		"stops with an answer": {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, says: refusal},
			ClassPermanent, 0, 16 * time.Second},
		"stops with an answer, TLS": {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, says: refusal,
			tls: serverTLS}, ClassPermanent, 0, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tr := range transports {
				t.Run(string(tr), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := newClient(t, Config{
							Transport: tr, Dial: row.device.dial, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
							Timeouts: Timeouts{Total: time.Hour, Answer: time.Minute,
								LeastProgress: LeastProgress{PerSecond: 1000, Window: 10 * time.Second}},
						})
						dev := Device{Address: "http://till-17"}
						if row.device.tls != nil {
							dev.Address = "https://till-17"
						}
						body, began := make([]byte, 100_000), time.Now()
						err := c.Push(t.Context(), dev, newUpdate(t, "2", body))
						took := time.Since(began) // on the test's own clock
						require.Equal(t, row.want, ClassOf(err), "%v", err)
						require.True(t, took >= row.from && took <= row.to, "took %v", took)
					})
				})
			}
		})
	}
}

// TestStallMidUpload is the same over sockets, whose buffers take more than the device reads.
func TestStallMidUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := io.CopyN(io.Discard, c, 100_000); err == nil {
				<-t.Context().Done()
			}
		})
		cfg.Timeouts.LeastProgress = LeastProgress{PerSecond: 1 << 20, Window: 200 * time.Millisecond}
		for _, u := range []*Update{newUpdate(t, "2", make([]byte, 64<<20)), fileUpdate(t, 64<<20)} {
			err := newClient(t, cfg).Push(t.Context(), dev, u)
			require.ErrorIs(t, err, exchange.ErrTooSlow)
			require.ErrorContains(t, err, "Timeouts.LeastProgress", "which bound it was")
			require.Equal(t, ClassTimeout, ClassOf(err))
		}
	})
}

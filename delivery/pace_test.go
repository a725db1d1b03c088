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
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestPace: at 100 bytes a second over 10 s, a window must bring 1,000.
func TestPace(t *testing.T) {
	type look struct {
		at    int // seconds since the upload began
		moved int64
		slow  bool
	}
	for name, looks := range map[string][]look{
		"stops at once":             {{3, 0, false}, {9, 0, false}, {10, 0, true}},
		"just enough":               {{10, 1000, false}, {20, 2000, false}, {30, 3000, false}},
		"one byte short":            {{5, 999, false}, {10, 999, true}},
		"a lump, then a pause":      {{9, 50_000, false}, {18, 50_000, false}, {19, 50_000, true}},
		"lumps a window apart":      {{9, 50_000, false}, {18, 100_000, false}, {27, 150_000, false}},
		"never looked at, and done": {{60, 6000, false}},
		"goes back":                 {{5, 2000, false}, {14, 1500, false}, {15, 1500, true}}, // the probe may err
	} {
		t.Run(name, func(t *testing.T) {
			var p pace
			start := time.Unix(1_000_000, 0)
			p.begin(start, 0, LeastProgress{PerSecond: 100, Window: 10 * time.Second})
			for _, l := range looks {
				require.Equal(t, l.slow, p.slow(start.Add(time.Duration(l.at)*time.Second), l.moved), "%+v", l)
			}
		})
	}
	var p pace
	p.begin(time.Unix(0, 0), 0, LeastProgress{PerSecond: -1, Window: time.Second})
	require.False(t, p.slow(time.Unix(1e9, 0), 0), "none")
	require.Equal(t, LeastProgress{PerSecond: 1024, Window: 30 * time.Second}, LeastProgress{}.withDefaults())
	require.EqualValues(t, 1, LeastProgress{PerSecond: 1, Window: time.Millisecond}.need(), "a byte at least")
}

// slowReader is a device over a pipe, which buffers nothing: what it reads is what
// is sent. It reads a chunk a pause, and no more after limit bytes; then it says
// what it has to say.
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

// TestLeastProgress: 1,000 bytes a second over 10 s. A slow device above that is
// waited for however long it takes; one below it, or one that stops, is given up
// soon after a window, not at the total.
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
		"slow":                      {slowReader{chunk: 1000, limit: all, pause: time.Second / 2}, ClassUnknown, 50 * time.Second, 51 * time.Second},
		"slow, TLS":                 {slowReader{chunk: 20_000, limit: all, pause: 9 * time.Second, tls: serverTLS}, ClassUnknown, 45 * time.Second, 55 * time.Second},
		"too slow":                  {slowReader{chunk: 1000, limit: all, pause: 2 * time.Second}, ClassTimeout, 10 * time.Second, 20 * time.Second},
		"stops":                     {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10}, ClassTimeout, 10 * time.Second, 16 * time.Second},
		"stops, TLS":                {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, tls: serverTLS}, ClassTimeout, 10 * time.Second, 16 * time.Second},
		"stops with an answer":      {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, says: refusal}, ClassPermanent, 0, 16 * time.Second},
		"stops with an answer, TLS": {slowReader{chunk: 1000, limit: 20_000, pause: time.Second / 10, says: refusal, tls: serverTLS}, ClassPermanent, 0, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tr := range transports {
				t.Run(string(tr), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := newClient(t, Config{
							Transport: tr, Dial: row.device.dial, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
							Timeouts: Timeouts{Total: time.Hour, Answer: time.Minute, LeastProgress: LeastProgress{PerSecond: 1000, Window: 10 * time.Second}},
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

// TestStallMidUpload is the same over sockets, which take more than the device does.
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
			require.ErrorIs(t, err, errSlow)
			require.ErrorContains(t, err, "Timeouts.LeastProgress", "which bound it was")
			require.Equal(t, ClassTimeout, ClassOf(err))
		}
	})
}

func TestUnsent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	c := newCountedConn(near, &counters{}, &chunkPool{})
	require.Zero(t, c.moved())
	n, chunk := 0, make([]byte, 1<<20)
	for range 64 {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		var wrote int
		wrote, err = c.Conn.Write(chunk)
		if n += wrote; err != nil {
			break
		}
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	c.sent.Store(int64(n))
	if runtime.GOOS == "linux" {
		require.Less(t, c.moved(), int64(n), "the socket holds some of it")
	}
	require.Positive(t, c.moved(), "the other one has the rest")
	require.NoError(t, c.SetWriteDeadline(time.Time{}))
	near.Close()
	require.EqualValues(t, n, c.moved(), "a closed one can't be asked")
}

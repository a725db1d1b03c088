package delivery

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// TestOddAnswers checks which answers that follow HTTP/1.1 only loosely are accepted. It is the
// same over both transports; the table in docs/reference/delivery.md describes it in words. Every
// device keeps the connection open: an answer is refused at once, and not after the answer timeout.
func TestOddAnswers(t *testing.T) {
	const (
		ok   = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		sent = "Content-Length: 16\r\n\r\n" + deliverytest.GoodPush
	)
	long := func(n int) string { return "X-Long: " + strings.Repeat("x", n) + "\r\n" }
	for name, row := range map[string]struct {
		text string
		want Class
		says string
		once bool // the connection can't be used again
		kept bool // the connection is used again, although the answer is refused
	}{
		"lines end with LF alone": {text: strings.ReplaceAll(ok+sent, "\r\n", "\n")},
		"chunks with LF alone": {text: strings.ReplaceAll(ok+"Transfer-Encoding: chunked\r\n\r\n10\r\n"+
			deliverytest.GoodPush+"\r\n0\r\n\r\n", "\r\n", "\n")},
		"interim with LF alone": {text: "HTTP/1.1 103 Early Hints\n\n" + ok + sent},
		"CRLF before it":        {text: "\r\n" + ok + sent},
		"two CRLF before it":    {text: "\r\n\r\n" + ok + sent},
		"nothing but CRLF":      {text: strings.Repeat("\r\n", 4<<10), want: ClassProtocol, says: "blank lines"},
		"two equal lengths":     {text: ok + "Content-Length: 16\r\n" + sent},
		"two lengths": {text: ok + "Content-Length: 17\r\n" + sent, want: ClassProtocol,
			says: "Content-Length"},
		"a list of lengths": {text: ok + "Content-Length: 16, 16\r\n\r\n" + deliverytest.GoodPush,
			want: ClassProtocol, says: "Content-Length"},
		"a length and chunks": {text: ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" +
			deliverytest.GoodPush + "\r\n0\r\n\r\n", once: true},
		"two codings": {text: ok +
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: ClassProtocol,
			says: "Transfer-Encoding"},
		"two types, JSON first":          {text: ok + "Content-Type: text/html\r\n" + sent},
		"two types, JSON last":           {text: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Type: application/json\r\n" + sent, want: ClassProtocol, says: "JSON", kept: true},
		"two locations":                  {text: "HTTP/1.1 307 Moved\r\nLocation: /here\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"},
		"two locations, another's first": {text: "HTTP/1.1 307 Moved\r\nLocation: http://elsewhere.example/\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n", want: ClassPermanent, says: "another origin"},
		"folded":                         {text: ok + "X-Note: a\r\n b\r\n" + sent},
		"folded type":                    {text: "HTTP/1.1 200 OK\r\nContent-Type: application/json;\r\n\tcharset=utf-8\r\n" + sent},
		"no reason":                      {text: "HTTP/1.1 200\r\nContent-Type: application/json\r\n" + sent},
		"spaces around values":           {text: "HTTP/1.1 200 OK\r\nContent-Type: \t application/json \r\n" + sent},
		"space before the colon":         {text: ok + "X-Note : a\r\n" + sent, want: ClassProtocol, says: "header line"},
		"no name":                        {text: ok + ": a\r\n" + sent, want: ClassProtocol, says: "header line"},
		"NUL in a value": {text: ok + "X-Note: a\x00b\r\n" + sent, want: ClassProtocol,
			says: "control character"},
		"lone CR in a value": {text: ok + "X-Note: a\rb\r\n" + sent, want: ClassProtocol,
			says: "control character"},
		"chunk of ffffffffffffffff": {text: ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
			want: ClassProtocol, says: "Config.MaxAnswer"},
		"chunk of fffffffffffffffff": {text: ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
			want: ClassProtocol, says: "Config.MaxAnswer"},
		"chunk beyond the limit": {text: ok + "Transfer-Encoding: chunked\r\n\r\n10001\r\n{}",
			want: ClassProtocol, says: "65536 bytes (Config.MaxAnswer)"},
		"chunk size 0x10": {text: ok + "Transfer-Encoding: chunked\r\n\r\n0x10\r\n" +
			deliverytest.GoodPush, want: ClassProtocol, says: "chunk size"},
		"chunk without a size": {text: ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", want: ClassProtocol,
			says: "chunk"},
		"chunks of one byte": {text: ok + "Transfer-Encoding: chunked\r\n\r\n" +
			chunksOf(deliverytest.GoodPush) + "0\r\n\r\n"},
		"chunk line without end": {text: ok + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x",
			5<<10), want: ClassProtocol, says: "between chunks"},
		"trailers": {text: ok + "Transfer-Encoding: chunked\r\n\r\n10\r\n" +
			deliverytest.GoodPush + "\r\n0\r\nX: y\r\nZ: a\r\n\r\n"},
		"trailers without end": {text: ok + "Transfer-Encoding: chunked\r\n\r\n10\r\n" +
			deliverytest.GoodPush + "\r\n0\r\n" + strings.Repeat("X: y\r\n", 1000), want: ClassProtocol,
			says: "Config.MaxAnswerHead"},
		"endless length": {text: ok + "Content-Length: 99999999999999999999\r\n\r\n{}",
			want: ClassProtocol, says: "Config.MaxAnswer"},
		"chunks in HTTP/1.0": {text: "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + deliverytest.GoodPush + "\r\n0\r\n\r\n", want: ClassProtocol, says: "HTTP/1.0"},
		"HTTP/2.0": {text: strings.Replace(ok, "1.1", "2.0", 1) + sent, want: ClassProtocol,
			says: "begins with"},
		"another protocol":          {text: "SSH-2.0-OpenSSH_9.9\r\n", want: ClassProtocol, says: "SSH-2.0"},
		"another protocol, no line": {text: "220 till FTP ready", want: ClassProtocol, says: "220 till"},
		"status 000": {text: "HTTP/1.1 000 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "000"},
		"status 099": {text: "HTTP/1.1 099 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "099"},
		"status 600": {text: "HTTP/1.1 600 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "600"},
		"status 999": {text: "HTTP/1.1 999 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "999"},
		"status 20": {text: "HTTP/1.1 20 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "status line"},
		"status 2000": {text: "HTTP/1.1 2000 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "status line"},
		"status +20": {text: "HTTP/1.1 +20 OK\r\nContent-Type: application/json\r\n" + sent,
			want: ClassProtocol, says: "status line"},
		"head just within its limit": {text: ok +
			long(4<<10-len(ok)-len("X-Long: \r\n")-len("Content-Length: 16\r\n\r\n")) + sent},
		"head a byte over": {text: ok +
			long(4<<10-len(ok)-len("X-Long: \r\n")-len("Content-Length: 16\r\n\r\n")+1) + sent, want: ClassProtocol,
			says: "4096 bytes (Config.MaxAnswerHead)"},
		"head without end": {text: ok + "X: " + strings.Repeat("x", 8<<10), want: ClassProtocol,
			says: "Config.MaxAnswerHead"},
		"interim heads count": {text: strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+long(1000)+"\r\n", 4) +
			ok + sent, want: ClassProtocol, says: "Config.MaxAnswerHead"},
		"more than promised": {text: ok + sent + "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
			once: true},
		"more than promised, no answer": {text: ok + sent + "s3cret", once: true},
		"204 with a body": {text: "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\ns3cret",
			want: ClassProtocol, says: "204", once: true},
		"more than promised, after its end": {text: ok + sent + "\x00s3cret", once: true},
	} {
		t.Run(name, func(t *testing.T) {
			overWires(t, 0, func(d *socketDevice, k int, c net.Conn) {
				br := bufio.NewReader(c)
				for n := 1; ; n++ {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					text := deliverytest.Good(r)
					if k == 1 && n == 1 {
						text = row.text
					}
					_, _ = io.WriteString(c, text)
				}
			}, func(t *testing.T, cfg Config, d *socketDevice) {
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				err := c.Push(t.Context(), d.Device, u)
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				if row.says != "" {
					require.ErrorContains(t, err, row.says)
					require.NotContains(t, err.Error(), "\x00")
				}
				require.NoError(t, c.Push(t.Context(), d.Device, u))
				dials := 1
				if row.once || row.want == ClassProtocol && !row.kept {
					dials = 2
				}
				require.EqualValues(t, dials, c.Stats().Dials)
			})
		})
	}
}

// chunksOf encodes a body in chunks of one byte each.
func chunksOf(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "1\r\n%c\r\n", c)
	}
	return b.String()
}

// TestAnswerHeadLimit checks the configured limit.
func TestAnswerHeadLimit(t *testing.T) {
	text := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: " + strings.Repeat("x", 60_000) +
		"\r\nContent-Length: 16\r\n\r\n" + deliverytest.GoodPush
	overWires(t, 0, func(_ *socketDevice, _ int, c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		u := newUpdate(t, "2", []byte("x"))
		require.Equal(t, ClassProtocol, ClassOf(newClient(t, cfg).Push(t.Context(), d.Device, u)))
		cfg.MaxAnswerHead = 64 << 10
		require.NoError(t, newClient(t, cfg).Push(t.Context(), d.Device, u))
	})
	_, err := New(Config{MaxAnswerHead: -1})
	require.ErrorContains(t, err, "max answer head -1: want 0 (the default) to 1048576")
}

// TestNothingOfADeviceIsLogged checks what a device sends unasked on a connection that is idle or
// new, and what it sends after its answer. net/http's own transport would write it to the process's
// log.
func TestNothingOfADeviceIsLogged(t *testing.T) {
	for name, row := range map[string]struct{ first, after, later string }{
		"with the answer":   {after: "s3cret"},
		"while it is idle":  {later: "s3cret"},
		"another answer":    {later: deliverytest.JSONAnswer("200 OK", `{"key":"s3cret"}`)},
		"before a request":  {first: "s3cret ready\r\n"},
		"204 with a body":   {after: "s3cret"},
		"a second 1xx":      {later: "HTTP/1.1 103 s3cret\r\n\r\n"},
		"a broken answer":   {first: "HTTP/1.1 s3cret\r\n\r\n"},
		"after a 408 times": {later: "HTTP/1.1 408 s3cret\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			overWires(t, 0, func(_ *socketDevice, k int, c net.Conn) {
				if k == 1 {
					_, _ = io.WriteString(c, row.first)
				}
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					text := deliverytest.Good(r)
					if k == 1 {
						text += row.after
					}
					_, _ = io.WriteString(c, text)
					if k == 1 && row.later != "" {
						_, _ = io.WriteString(c, row.later)
						_, _ = c.Read(make([]byte, 1)) // returns when the client closes the connection
						return
					}
				}
			}, func(t *testing.T, cfg Config, d *socketDevice) {
				var logged syncedBuffer
				defer log.SetOutput(log.Writer())
				log.SetOutput(&logged)
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				for range 3 {
					_ = c.Verify(t.Context(), d.Device, u) // another test checks the error
				}
				require.NoError(t, c.Verify(t.Context(), d.Device, u))
				c.Close()
				require.Empty(t, logged.String())
			})
		})
	}
}

// TestADeviceThatGreets has a device that speaks first on every connection, which HTTP doesn't
// allow. Both transports end the request.
func TestADeviceThatGreets(t *testing.T) {
	overWires(t, 0, func(d *socketDevice, _ int, c net.Conn) {
		_, _ = io.WriteString(c, "220 till ready\r\n")
		_, _ = io.Copy(io.Discard, c)
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		cfg.Breaker.Failures = -1
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		for range 3 {
			for _, err := range []error{c.Push(t.Context(), d.Device, u), c.Verify(t.Context(), d.Device, u)} {
				require.Equal(t, ClassProtocol, ClassOf(err), "%v", err)
				require.ErrorContains(t, err, "220 till")
			}
		}
		require.EqualValues(t, 6, c.Stats().Dials)
		require.EqualValues(t, 6, c.Stats().Requests)
	})
}

// syncedBuffer is a bytes.Buffer for concurrent writers.
type syncedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestRetryAfterOfAnswers checks Retry-After over the wire, in answers with a Date and without one.
func TestRetryAfterOfAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		fields   string
		min, max time.Duration
	}{
		"more than 32 bits":  {"Retry-After: 9223372037\r\n", exchange.MaxRetryAfter, exchange.MaxRetryAfter},
		"two, longest last":  {"Retry-After: 5\r\nretry-after: 90\r\n", 90 * time.Second, 90 * time.Second},
		"two, longest first": {"Retry-After: 90\r\nRetry-After: 5\r\n", 90 * time.Second, 90 * time.Second},
		"a date by our own": {"Retry-After: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) + "\r\n",
			50 * time.Minute, time.Hour},
		"nothing said": {"Retry-After: soon\r\n", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := scriptedDevice(t, func(int, int, *http.Request) string {
					return "HTTP/1.1 503 Busy\r\n" + row.fields + "Content-Length: 0\r\n\r\n"
				})
				err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				e, ok := errors.AsType[*Error](err)
				require.True(t, ok)
				require.GreaterOrEqual(t, e.RetryAfter, row.min)
				require.LessOrEqual(t, e.RetryAfter, row.max)
			})
		})
	}
}

// TestARefusalIsVerifiedFirst has a device that answers 200 without success: true, so it may run
// the update. If it lacks the update, the error quotes the device's message, and the device is not
// quarantined.
func TestARefusalIsVerifiedFirst(t *testing.T) {
	other := `{"version":"1","state":"idle","digest":""}`
	for name, row := range map[string]struct {
		push, version string
		want          Class
		says          string
	}{
		"battery low": {`{"success":false,"message":"battery low"}`, other, ClassRefused,
			`refused: status 200: device did not take the update: "battery low"`},
		"control characters": {`{"success":false,"message":"a\nb\u001b[31m"}`, other, ClassRefused, `"a\nb\x1b[31m"`},
		"no message": {`{"success":false}`, other, ClassRefused,
			`refused: status 200: device did not take the update`},
		"empty":             {`{}`, other, ClassRefused, `its answer lacks "success": true`},
		"null":              {`{"success":null}`, other, ClassRefused, `its answer lacks "success": true`},
		"another interface": {`{"result":"ok"}`, other, ClassRefused, `its answer lacks "success": true`},
		"long": {`{"success":false,"message":"` + strings.Repeat("x", 9000) + `"}`, other, ClassRefused,
			strings.Repeat("x", 120) + "…"},
		"runs it, though": {`{"success":false,"message":"already installed"}`, deliverytest.GoodVersion,
			ClassUnknown, ""},
		"runs it, says nothing": {`{}`, deliverytest.GoodVersion, ClassUnknown, ""},
		"failed": {`{"success":false,"message":"no space"}`,
			`{"version":"1","state":"failed","digest":""}`, ClassRefused, `"no space"`},
		"other content under it": {`{"success":false,"message":"no"}`, `{"version":"2","state":"idle","digest":"00"}`,
			ClassIntegrity, "other content"},
		"an answer without sense": {`{"success":false,"message":"no"}`, `<p>`, ClassRefused, `"no"`},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var pushes, verifies atomic.Int32
				dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
					if r.Method == http.MethodPost {
						pushes.Add(1)
						return deliverytest.JSONAnswer("200 OK", row.push)
					}
					verifies.Add(1)
					return deliverytest.JSONAnswer("200 OK", row.version)
				})
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				_, err := c.Deliver(t.Context(), dev, u)
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				require.EqualValues(t, 1, pushes.Load(), "what was refused is not sent again")
				require.Positive(t, verifies.Load())
				require.Equal(t, row.want == ClassIntegrity, errors.Is(err, ErrQuarantined))
				if row.want != ClassUnknown {
					require.ErrorContains(t, err, row.says)
					require.Less(t, len(err.Error()), 400)
					require.NotContains(t, err.Error(), "\n")
				}
				if row.want == ClassRefused {
					require.ErrorIs(t, err, ErrNotTaken)
				}
			})
		})
	}
}

// TestARefusedRedirectIsPermanent checks that the artifact is sent only once.
func TestARefusedRedirectIsPermanent(t *testing.T) {
	for name, head := range map[string]string{
		"to a login page": "302 Found\r\nLocation: /login\r\n",
		"other origin":    "307 Temporary Redirect\r\nLocation: http://elsewhere.example/update\r\n",
		"no location":     "308 Permanent Redirect\r\n",
		"in a circle":     "307 Temporary Redirect\r\nLocation: /update\r\n",
		"a choice":        "300 Multiple Choices\r\n",
		"not modified":    "304 Not Modified\r\n",
		"use a proxy":     "305 Use Proxy\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
					if r.Method == http.MethodPost {
						return "HTTP/1.1 " + head + "Content-Length: 0\r\n\r\n"
					}
					return deliverytest.JSONAnswer("200 OK", `{"version":"1","state":"idle","digest":""}`)
				})
				report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
				require.Equal(t, []int{1, 0}, []int{report.Pushes, report.Verifies})
			})
		})
	}
}

// TestADeviceOfOneRequestAConnection has a device that closes a connection without an answer when a
// second request comes. The second push goes over a new connection, and the device is updated.
func TestADeviceOfOneRequestAConnection(t *testing.T) {
	for _, idle := range []int{1, 4} { // idle connections when the push begins
		t.Run(fmt.Sprint(idle), func(t *testing.T) {
			var pushes, applied, held atomic.Int32
			all := make(chan struct{})
			overWires(t, 0, func(d *socketDevice, _ int, c net.Conn) {
				br := bufio.NewReader(c)
				for n := 1; ; n++ {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					if r.Method == http.MethodPost {
						pushes.Add(1)
					}
					if n > 1 {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if r.Method == http.MethodPost {
						applied.Add(1)
					} else if held.Add(1) == int32(idle) {
						close(all)
					}
					text := deliverytest.Good(r)
					if r.Method == http.MethodGet {
						if held.Load() <= int32(idle) {
							<-all
						}
						if applied.Load() == 0 {
							text = deliverytest.JSONAnswer("200 OK", `{"version":"1","state":"idle","digest":""}`)
						}
					}
					_, _ = io.WriteString(c, text)
				}
			}, func(t *testing.T, cfg Config, d *socketDevice) {
				for range 16 { // within net/http it is a race who first reports that a refused connection is closed
					pushes.Store(0)
					applied.Store(0)
					held.Store(0)
					all = make(chan struct{})
					c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
					asked := make(chan error, idle)
					for range idle { // as with SkipUpdated, and in a resumed rollout
						go func() { asked <- c.Verify(t.Context(), d.Device, u) }()
					}
					for range idle {
						require.ErrorIs(t, <-asked, ErrLacksUpdate)
					}
					report, err := c.Deliver(t.Context(), d.Device, u)
					require.NoError(t, err)
					require.Equal(t, 2, report.Pushes)
					require.EqualValues(t, 1, applied.Load())
				}
			})
		})
	}
}

// TestAClientsCertificateThatIsRefused has a device that refuses the client's certificate. In TLS
// 1.3 its alert comes after the client has finished the handshake, and the client's write of the
// request may fail before it reads the alert.
func TestAClientsCertificateThatIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	roots, cert := x509.NewCertPool(), s.TLS.Certificates
	roots.AddCert(s.Certificate())
	s.Close()
	for name, row := range map[string]struct {
		shows tls.ClientAuthType
		size  int
		says  string
	}{
		"none where one is due":          {tls.RequireAnyClientCert, 1, "certificate required"},
		"none, large update":             {tls.RequireAnyClientCert, 1 << 20, "certificate required"},
		"of another authority":           {tls.RequireAndVerifyClientCert, 1, "unknown certificate authority"},
		"of another authority, of 1 MiB": {tls.RequireAndVerifyClientCert, 1 << 20, "unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := rawDevice(t, func(c net.Conn) {
					tc := tls.Server(c, &tls.Config{Certificates: cert, ClientAuth: row.shows, ClientCAs: x509.NewCertPool(),
						MinVersion: tls.VersionTLS13})
					_ = tc.Handshake() // sends the alert, and the close comes with the request unread
				})
				dev.Address = strings.Replace(dev.Address, "http", "https", 1)
				cfg.TLS = &tls.Config{RootCAs: roots}
				if row.shows == tls.RequireAndVerifyClientCert {
					cfg.TLS.Certificates = cert
				}
				u := newUpdate(t, "2", make([]byte, row.size))
				for range 10 {
					err := newClient(t, cfg).Push(t.Context(), dev, u)
					require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
					require.ErrorContains(t, err, row.says)
				}
			})
		})
	}
}

// TestUserAgent checks that a request has exactly one User-Agent, and that a configured one
// replaces the client's own.
func TestUserAgent(t *testing.T) {
	for name, row := range map[string]struct {
		header http.Header
		want   string
	}{
		"ours":          {nil, "fleetmark-delivery"},
		"configured":    {http.Header{"User-Agent": {"updater/7"}}, "updater/7"},
		"in lower case": {http.Header{"user-agent": {"updater/7"}}, "updater/7"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				heads := make(chan string, 2)
				dev := rawDevice(t, func(c net.Conn) {
					br := bufio.NewReader(c)
					for _, body := range []string{deliverytest.GoodPush, deliverytest.GoodVersion} {
						var head strings.Builder
						for {
							line, err := br.ReadString('\n')
							if err != nil {
								return
							}
							if line == "\r\n" {
								break
							}
							head.WriteString(line)
						}
						if body == deliverytest.GoodPush {
							_, _ = br.Discard(1)
						}
						heads <- head.String()
						_, _ = io.WriteString(c, deliverytest.JSONAnswer("200 OK", body))
					}
				})
				cfg.Header = row.header
				_, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.NoError(t, err)
				for range 2 {
					head := <-heads
					require.Equal(t, 1, strings.Count(strings.ToLower(head), "\r\nuser-agent:"), head)
					require.Contains(t, strings.ToLower(head), "\r\nuser-agent: "+row.want+"\r\n")
				}
			})
		})
	}
	_, err := New(Config{Header: http.Header{"User-Agent": {"a", "b"}}})
	require.ErrorContains(t, err, "header User-Agent: 2 values: want one")
	_, err = New(Config{Header: http.Header{"User-Agent": {"a\r\nX: y"}}})
	require.ErrorContains(t, err, "User-Agent")
}

// TestADeviceThatResetsEveryOtherConnection has a device that resets connections in the middle of
// the request: the first, the third and so on. If every push used a new connection, all pushes
// would meet the ones that are reset, and the looks the others.
func TestADeviceThatResetsEveryOtherConnection(t *testing.T) {
	var conns, applied atomic.Int32
	overWires(t, 0, func(_ *socketDevice, _ int, c net.Conn) {
		odd := conns.Add(1)%2 == 1
		br := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(br)
			if err != nil || odd {
				return // with unread bytes, so that the client's system receives a reset
			}
			_, _ = io.Copy(io.Discard, r.Body)
			text := deliverytest.Good(r)
			switch {
			case r.Method == http.MethodPost:
				applied.Add(1)
			case applied.Load() == 0:
				text = deliverytest.JSONAnswer("200 OK", `{"version":"1","state":"idle","digest":""}`)
			}
			_, _ = io.WriteString(c, text)
		}
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		conns.Store(0)
		applied.Store(0)
		_, err := newClient(t, cfg).Deliver(t.Context(), d.Device, newUpdate(t, "2", []byte("x")))
		require.NoError(t, err)
		require.EqualValues(t, 1, applied.Load())
	})
}

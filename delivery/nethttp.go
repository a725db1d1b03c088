package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// netHTTP is the second transport: net/http's own, for HTTP/2, proxies and
// round-trippers that watch.
type netHTTP struct {
	cfg   Config
	base  *http.Transport
	stats *counters

	closed atomic.Bool
}

func newNetHTTP(cfg Config, stats *counters) *netHTTP {
	t := &netHTTP{cfg: cfg, stats: stats}
	t.base = &http.Transport{
		DialContext:            t.dial,
		TLSClientConfig:        cfg.TLS,
		TLSHandshakeTimeout:    cfg.Timeouts.TLS,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.MaxIdle,
		MaxIdleConnsPerHost:    cfg.MaxIdlePerDevice,
		IdleConnTimeout:        cfg.IdleTimeout,
		MaxResponseHeaderBytes: readBuffer,
		WriteBufferSize:        writeBuffer,
		ReadBufferSize:         readBuffer,
		DisableCompression:     true, // an artifact's answer is small; a small one that grows is an attack
	}
	return t
}

func (t *netHTTP) close() {
	t.closed.Store(true)
	t.base.CloseIdleConnections()
}

func (t *netHTTP) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.stats.dials.Add(1)
	nc, err := dialWithin(ctx, t.cfg, address, time.Now().Add(t.cfg.Timeouts.Dial))
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: nc, stats: t.stats}, nil
}

// countedConn counts the bytes on the wire.
type countedConn struct {
	net.Conn
	stats *counters
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stats.read.Add(uint64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.stats.written.Add(uint64(n))
	return n, err
}

func (t *netHTTP) roundTrip(ctx context.Context, to target, x *exchange) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeouts.Total)
	defer cancel()
	// The answer's deadline starts when the body is out; only the body's end tells
	// when. A request without one is out as soon as it has a connection.
	answer := newAnswerTimer(cancel, t.cfg.Timeouts.Answer)
	defer answer.stop()
	var body *requestBody
	if x.body != nil {
		body = &requestBody{r: x.body.Reader(), sent: answer.start}
		// net/http may go on reading a body after it gave up on it; the artifact is the
		// caller's again when the operation is over.
		defer body.detach()
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) }, // net/http tries a GET again by itself
		GotConn: func(info httptrace.GotConnInfo) {
			connected.Store(true)
			t.stats.requests.Add(1)
			if info.Reused {
				t.stats.reused.Add(1)
			}
			if body == nil {
				answer.start()
			}
		},
	})

	resp, err := t.base.RoundTrip(t.request(ctx, to, x, body))
	if err == nil {
		err = t.read(resp, x)
	}
	if t.closed.Load() {
		t.base.CloseIdleConnections() // the request may have begun after close did so
	}
	if err == nil {
		return nil
	}
	return t.failure(err, answer, connected.Load())
}

func (t *netHTTP) request(ctx context.Context, to target, x *exchange, body *requestBody) *http.Request {
	path := to.prefix + x.path
	// RawPath keeps the path as it was given: Path alone is escaped beyond need.
	u := &url.URL{Scheme: "http", Host: to.host, Path: path, RawPath: path}
	if to.secure {
		u.Scheme = "https"
	}
	header := make(http.Header, len(x.header)+len(t.cfg.Header)+1)
	header["User-Agent"] = []string{userAgent}
	for _, f := range x.header {
		if f.name != "" {
			header[f.name] = []string{f.value}
		}
	}
	for name, values := range t.cfg.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	req := (&http.Request{
		Method: x.method, URL: u, Host: to.host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if body != nil {
		// No GetBody: net/http must not send an update again on its own account.
		req.Body = body
		req.ContentLength = x.body.size
	}
	return req
}

// requestBody reads an artifact and says when it has been read to its end.
type requestBody struct {
	sent func()

	mu   sync.Mutex
	r    *io.SectionReader // nil: detached
	read int64
}

var errDetached = errors.New("the operation is over")

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errDetached
	}
	n, err := b.r.Read(p)
	b.read += int64(n)
	if err == nil && (n > 0 || len(p) == 0) {
		return n, nil
	}
	b.sent()
	if b.read < b.r.Size() {
		return n, cutShort(b.read, err)
	}
	return n, io.EOF
}

// detach lets go of the artifact, after a read that is under way.
func (b *requestBody) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
}

func (b *requestBody) Close() error {
	b.sent()
	return nil
}

var (
	errAnswerTooLarge = errors.New("answer is larger than the limit")
	errSwitched       = errors.New("device switched protocols, unasked")
)

// read takes the whole answer: only then is the connection used again.
func (t *netHTTP) read(resp *http.Response, x *exchange) (err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// There is no body to read to its end: what follows is another protocol, and
		// net/http no longer minds the context.
		return &answerError{errSwitched}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(t.cfg.MaxAnswer)+1))
	if err != nil {
		return &answerError{err}
	}
	if len(body) > t.cfg.MaxAnswer {
		return &answerError{fmt.Errorf("%w of %d bytes", errAnswerTooLarge, t.cfg.MaxAnswer)}
	}
	x.status = resp.StatusCode
	x.answer = body
	x.contentType = []byte(resp.Header.Get("Content-Type"))
	x.retryAfter = []byte(resp.Header.Get("Retry-After"))
	x.date = []byte(resp.Header.Get("Date"))
	return nil
}

// answerError is a failure after the answer's header came.
type answerError struct{ err error }

func (e *answerError) Error() string { return "reading answer: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// failure sorts what net/http says into how far the exchange came and whose fault it was.
func (t *netHTTP) failure(err error, answer *answerTimer, connected bool) error {
	if answer.struck() {
		return &exchangeError{phase: phaseAnswer, err: errAnswerTimeout}
	}
	if isRefusedPeer(err) {
		return &exchangeError{phase: phaseConnect, secure: true, err: err}
	}
	if !connected {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	if isMalformed(err) {
		return &exchangeError{phase: phaseSend, protocol: true, err: &clippedError{err}}
	}
	return &exchangeError{phase: phaseSend, err: err}
}

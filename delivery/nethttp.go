package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// netHTTP is the second transport: net/http's own, for HTTP/2, proxies and
// round-trippers that watch.
type netHTTP struct {
	cfg   Config
	base  *http.Transport
	stats *counters
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

func (t *netHTTP) close() { t.base.CloseIdleConnections() }

// dial tells its failures from those of an exchange, by type.
func (t *netHTTP) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.stats.dials.Add(1)
	nc, err := dialWithin(ctx, t.cfg, address, time.Now().Add(t.cfg.Timeouts.Dial))
	if err != nil {
		return nil, &dialError{err}
	}
	return &countedConn{Conn: nc, stats: t.stats}, nil
}

type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

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
	// The answer's deadline starts when the body is out; only the body's end tells when.
	answer := newAnswerTimer(cancel, t.cfg.Timeouts.Answer)
	defer answer.stop()

	req, err := t.request(ctx, to, x, answer)
	if err != nil {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	t.stats.requests.Add(1)
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		err = t.read(resp, x)
	}
	if err == nil {
		return nil
	}
	return t.failure(err, answer)
}

func (t *netHTTP) request(ctx context.Context, to target, x *exchange, answer *answerTimer) (*http.Request, error) {
	u := &url.URL{Scheme: "http", Host: to.host, Path: to.prefix + x.path}
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
	if x.body == nil {
		answer.start()
		return req, nil
	}
	// No GetBody: net/http must not send an update again on its own account.
	req.Body = &requestBody{r: x.body.Reader(), sent: answer.start}
	req.ContentLength = x.body.size
	return req, nil
}

// requestBody reads an artifact and says when it has been read to its end.
type requestBody struct {
	r    *io.SectionReader
	sent func()
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil {
		b.sent()
		if !errors.Is(err, io.EOF) {
			err = &artifactError{fmt.Errorf("reading artifact: %w", err)}
		}
	}
	return n, err
}

func (b *requestBody) Close() error {
	b.sent()
	return nil
}

var errAnswerTooLarge = errors.New("answer is larger than the limit")

// read takes the whole answer: only then is the connection used again.
func (t *netHTTP) read(resp *http.Response, x *exchange) (err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
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
func (t *netHTTP) failure(err error, answer *answerTimer) error {
	if answer.struck() {
		return &exchangeError{phase: phaseAnswer, err: errAnswerTimeout}
	}
	if _, ok := errors.AsType[*dialError](err); ok {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	if isRefusedPeer(err) {
		return &exchangeError{phase: phaseConnect, secure: true, err: err}
	}
	cut := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAnswerTooLarge)
	return &exchangeError{phase: phaseSend, protocol: cut || isMalformed(err), err: err}
}

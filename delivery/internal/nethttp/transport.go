// Package nethttp is the transport over net/http, for HTTP/2, proxies and instrumented
// round-trippers. What goes in is a request of package exchange; what comes out is its response, or
// how far the request came. Wherever net/http makes it possible, this transport has the same limits
// as package lean, and accepts the same responses.
package nethttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// Config configures a transport.
type Config struct {
	exchange.Config

	// RoundTripper wraps net/http's transport, and the one of each identity. It may be nil.
	RoundTripper func(http.RoundTripper) http.RoundTripper
	// Traced says that exchanges may have a Trace.
	Traced bool
}

// transport implements [exchange.Transport].
type transport struct {
	cfg      Config
	base     *http.Transport
	wrapped  http.RoundTripper // base, or what RoundTripper made of it
	stats    *exchange.Counters
	chunks   exchange.ChunkPool
	requests requestPool
	// For devices that have credentials of their own.
	identities  identityTransports
	offered     atomic.Uint64 // TLS sessions that were offered for resumption
	noUserAgent []string      // the value that keeps net/http's User-Agent out

	closed atomic.Bool
}

// New returns a transport that counts in stats.
func New(cfg Config, stats *exchange.Counters) exchange.Transport { return newTransport(cfg, stats) }

func newTransport(cfg Config, stats *exchange.Counters) *transport {
	t := &transport{cfg: cfg, stats: stats, noUserAgent: []string{""}}
	t.requests.max = cfg.MaxIdle
	t.base = &http.Transport{
		DialContext:            t.dial,
		TLSClientConfig:        t.countSessions(cfg.TLS),
		TLSHandshakeTimeout:    cfg.Limits.TLSHandshake,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.MaxIdle,
		MaxIdleConnsPerHost:    cfg.MaxIdlePerDevice,
		IdleConnTimeout:        cfg.IdleTimeout,
		ExpectContinueTimeout:  cfg.Limits.ExpectContinue,
		MaxResponseHeaderBytes: int64(cfg.Limits.MaxResponseHead) + 1<<10, // above answerConn's own limit
		WriteBufferSize:        monitoredWrite,
		ReadBufferSize:         readBuffer,
		DisableCompression:     true, // answers are small, and a compressed one may expand to any size
	}
	t.base.DialTLSContext = t.dialTLS(t.base)
	t.wrapped = t.base
	if cfg.RoundTripper != nil {
		t.wrapped = cfg.RoundTripper(t.base)
	}
	t.identities.max = cfg.MaxIdle
	return t
}

func (t *transport) Close() {
	t.closed.Store(true)
	t.requests.close()
	t.base.CloseIdleConnections()
	t.identities.close()
}

func (t *transport) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.stats.Dials.Add(1)
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Limits.Dial)
	defer cancel()
	nc, err := t.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	counted := newCountedConn(nc, t.stats, &t.chunks)
	return newAnswerConn(counted, counted, t.responseLimits()), nil
}

func (t *transport) responseLimits() http1.Limits {
	return http1.Limits{Head: t.cfg.Limits.MaxResponseHead, Body: t.cfg.Limits.MaxResponseBody}
}

// dialTLS returns the DialTLSContext of a transport. It opens a connection of HTTP/2 as net/http
// wants it, and one of HTTP/1.1 as an answerConn.
func (t *transport) dialTLS(base *http.Transport) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := base.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return t.secure(ctx, nc, base.TLSClientConfig, address)
	}
}

func (t *transport) secure(ctx context.Context, nc net.Conn, cfg *tls.Config, address string) (_ net.Conn, err error) {
	counted := nc.(*answerConn).counted
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		if cfg.ServerName, _, err = net.SplitHostPort(address); err != nil {
			return nil, errors.Join(err, nc.Close())
		}
	}
	tc := tls.Client(counted, cfg)
	handshake, cancel := context.WithTimeout(ctx, t.cfg.Limits.TLSHandshake)
	defer cancel()
	if err := tc.HandshakeContext(handshake); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w", err), exchange.IgnoreClosed(counted.Close()))
	}
	if tc.ConnectionState().NegotiatedProtocol == "h2" {
		return tc, nil // net/http calls the trace itself
	}
	if trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(tc.ConnectionState(), nil)
	}
	return newAnswerConn(tc, counted, t.responseLimits()), nil
}

// RoundTrip implements [exchange.Transport]. It tries again while a request gets a kept-alive
// connection that it can't use: because it must have a fresh one, or because the device spoke
// unasked or closed it. net/http closes the connection then.
func (t *transport) RoundTrip(ctx context.Context, x *exchange.Exchange) *exchange.Failure {
	r := requestOf(x)
	for {
		f := t.roundTripResuming(ctx, r)
		if f == nil || !errors.Is(f, socket.ErrStale) {
			return f
		}
		t.stats.Requests.Add(^uint64(0)) // nothing was sent
		t.stats.Reused.Add(^uint64(0))
	}
}

func (t *transport) roundTripOnce(ctx context.Context, r *request) *exchange.Failure {
	c := t.pooledRequest(ctx)
	defer t.release(c)
	req := c.request(ctx, r.Exchange)
	if ctx.Err() != nil {
		c.timer.cancelRequest() // the watch may have fired before the timer ran
	}
	round := t.wrapped
	own := t.transportFor(r.Request.Identity)
	if own != nil {
		round = own.wrapped
	}
	defer t.identities.put(own)
	resp, err := round.RoundTrip(req)
	if err == nil {
		if r.Request.Body != nil && resp.StatusCode/100 == 2 {
			c.timer.awaitSent(c.lifetime.Done())
		}
		err = t.read(resp, r)
	}
	if err == nil && r.Request.Body != nil && r.Response.Status/100 == 2 && c.unfinished(r.Request.Body) {
		err = exchange.ErrUnfinished
	}
	c.body.detach()
	why, well := c.timer.stop()
	if t.closed.Load() {
		t.base.CloseIdleConnections() // the request may have begun after Close
	}
	if err != nil {
		c.singleUse = true
		if c.answers != nil {
			told := c.answers.failed()
			switch {
			case told != nil:
				err = told
			case c.reused && why == nil && ctx.Err() == nil && c.answers.untouched():
				// The connection was closed because it was stale, and net/http may say no more than
				// that.
				err = socket.ErrStale
			}
		}
		if ended := ctx.Err(); why == nil && ended != nil && errors.Is(err, context.Canceled) {
			err = ended // its context ends by a cancel, whatever ended the caller's
		}
		return failure(err, why, c.connected.Load())
	}
	// net/http may still write a request that is answered.
	c.singleUse = c.singleUse || !well || !c.written.Load()
	return nil
}

// pooledRequest returns a request that ends with ctx.
func (t *transport) pooledRequest(ctx context.Context) *pooledRequest {
	for c := t.requests.get(); c != nil; c = t.requests.get() {
		if c.watch.MaySwitch(ctx) {
			c.watch.Start(ctx)
			return c
		}
	}
	c := newPooledRequest(t)
	c.watch.Start(ctx)
	return c
}

// release keeps a request for another exchange, or ends it for good.
func (t *transport) release(c *pooledRequest) {
	if c.singleUse {
		c.watch.Stop()
		c.timer.cancel()
		return
	}
	t.requests.put(c)
}

// request is a request under way, with memory that the next one of its exchange uses again.
type request struct {
	*exchange.Exchange
	body   []byte // of the response
	fields []byte // values of its header
}

// requestOf returns the request of an exchange.
func requestOf(x *exchange.Exchange) *request {
	r, ok := x.Scratch.(*request)
	if !ok {
		r = &request{Exchange: x}
		x.Scratch = r
	}
	return r
}

// read reads the whole response: only then is the connection used again.
func (t *transport) read(resp *http.Response, r *request) (err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// There is no body to read: what follows is another protocol, and net/http doesn't end it
		// with the context.
		return &http1.Error{Err: http1.ErrSwitchedProtocols}
	}
	if err := t.readBody(resp, r); err != nil {
		return err
	}
	to := &r.Response
	to.Status, to.Body = resp.StatusCode, r.body
	r.fields = r.fields[:0]
	to.ContentType = r.keepField(resp.Header["Content-Type"])
	to.ContentEncoding = r.keepField(resp.Header["Content-Encoding"])
	if to.Status != http.StatusOK {
		to.RetryAfter = r.keepField(resp.Header["Retry-After"])
		if all := resp.Header["Retry-After"]; len(all) > 1 {
			to.RetryAfter = []byte(strings.Join(all, "\n"))
		}
		to.Date = r.keepField(resp.Header["Date"])
		to.Location = r.keepField(resp.Header["Location"])
	}
	return nil
}

// readBody reads the body to its end into the request's own memory.
func (t *transport) readBody(resp *http.Response, r *request) error {
	most := t.cfg.Limits.MaxResponseBody
	r.body = r.body[:0]
	if resp.ContentLength > int64(most) {
		return http1.TooLarge(most)
	}
	for {
		if len(r.body) == cap(r.body) {
			r.body = slices.Grow(r.body, 512)
		}
		n, err := resp.Body.Read(r.body[len(r.body):cap(r.body)])
		r.body = r.body[:len(r.body)+n]
		if len(r.body) > most {
			return http1.TooLarge(most)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &http1.Error{Err: err}
		}
	}
}

// keepField returns a copy of a field's first value. It returns nil if there is none.
func (r *request) keepField(values []string) []byte {
	if len(values) == 0 {
		return nil
	}
	at := len(r.fields)
	r.fields = append(r.fields, values[0]...)
	return r.fields[at:len(r.fields):len(r.fields)]
}

package delivery

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
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// netHTTP is the second transport: net/http's own, for HTTP/2, proxies and
// round-trippers that watch.
type netHTTP struct {
	cfg    Config
	base   *http.Transport
	around http.RoundTripper // base, or what was put around it
	stats  *counters
	chunks chunkPool
	calls  callPool
	extra  []values
	// For devices that have credentials of their own.
	carriers carriers
	offered  atomic.Uint64 // TLS sessions that were offered for resumption
	// Values of headers, made once.
	userAgent, noAgent []string

	closed atomic.Bool
}

type values struct {
	name string
	all  []string
}

func newNetHTTP(cfg Config, stats *counters) *netHTTP {
	t := &netHTTP{cfg: cfg, stats: stats, noAgent: []string{""}}
	t.calls.most = cfg.MaxIdle
	t.base = &http.Transport{
		DialContext:            t.dial,
		TLSClientConfig:        t.countSessions(cfg.TLS),
		TLSHandshakeTimeout:    cfg.Timeouts.TLS,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.MaxIdle,
		MaxIdleConnsPerHost:    cfg.MaxIdlePerDevice,
		IdleConnTimeout:        cfg.IdleTimeout,
		ExpectContinueTimeout:  cfg.Timeouts.Continue,
		MaxResponseHeaderBytes: int64(cfg.MaxAnswerHead) + 1<<10, // above answerConn's own limit
		WriteBufferSize:        longWrite,
		ReadBufferSize:         readBuffer,
		DisableCompression:     true, // an artifact's answer is small; a small one that grows is an attack
	}
	t.base.DialTLSContext = t.dialTLS(t.base)
	t.around = t.base
	if cfg.RoundTripper != nil {
		t.around = cfg.RoundTripper(t.base)
	}
	t.userAgent, t.extra = agentValues(cfg.Header), headerValues(cfg.Header)
	t.carriers.most = cfg.MaxIdle
	return t
}

func (t *netHTTP) close() {
	t.closed.Store(true)
	t.calls.close()
	t.base.CloseIdleConnections()
	t.carriers.close()
}

func (t *netHTTP) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.stats.dials.Add(1)
	nc, err := dialWithin(ctx, t.cfg, address, time.Now().Add(t.cfg.Timeouts.Dial))
	if err != nil {
		return nil, err
	}
	counted := newCountedConn(nc, t.stats, &t.chunks)
	return newAnswerConn(counted, counted, t.answerLimits()), nil
}

func (t *netHTTP) answerLimits() http1.Limits {
	return http1.Limits{Head: t.cfg.MaxAnswerHead, Body: t.cfg.MaxAnswer}
}

// dialTLS makes the DialTLSContext of a transport, which opens a connection of HTTP/2 as net/http
// wants it, and one of HTTP/1.1 as an answerConn.
func (t *netHTTP) dialTLS(base *http.Transport) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := base.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return t.secure(ctx, nc, base.TLSClientConfig, address)
	}
}

func (t *netHTTP) secure(ctx context.Context, nc net.Conn, cfg *tls.Config, address string) (_ net.Conn, err error) {
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
	handshake, cancel := context.WithTimeout(ctx, t.cfg.Timeouts.TLS)
	defer cancel()
	if err := tc.HandshakeContext(handshake); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w", err), ignoreClosed(counted.Close()))
	}
	if tc.ConnectionState().NegotiatedProtocol == "h2" {
		return tc, nil // net/http tells the trace
	}
	if trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(tc.ConnectionState(), nil)
	}
	return newAnswerConn(tc, counted, t.answerLimits()), nil
}

// roundTrip tries again while a request got a kept-alive connection that is no good for it:
// because it is to have a fresh one, or because the device spoke unasked or has closed it.
// That one is closed then.
func (t *netHTTP) roundTrip(ctx context.Context, x *exchange) error {
	for {
		err := t.roundTripResuming(ctx, x)
		if !errors.Is(err, socket.ErrStale) {
			return err
		}
		t.stats.requests.Add(^uint64(0)) // it was none
		t.stats.reused.Add(^uint64(0))
	}
}

func (t *netHTTP) roundTripOnce(ctx context.Context, x *exchange) error {
	c := t.call(ctx)
	defer t.release(c)
	req := c.request(ctx, x)
	if ctx.Err() != nil {
		c.timer.cancelRequest() // the watch may have struck before the timer ran
	}
	round := t.around
	own := t.carry(x.who)
	if own != nil {
		round = own.round
	}
	defer t.carriers.put(own)
	resp, err := round.RoundTrip(req)
	if err == nil {
		if x.body != nil && resp.StatusCode/100 == 2 {
			c.timer.awaitSent(c.base.Done())
		}
		err = t.read(resp, x)
	}
	if err == nil && x.body != nil && x.status/100 == 2 && c.unfinished(x.body) {
		err = errUnfinished
	}
	c.body.detach()
	why, well := c.timer.stop()
	if t.closed.Load() {
		t.base.CloseIdleConnections() // the request may have begun after close did so
	}
	if err != nil {
		c.once = true
		if c.answers != nil {
			told := c.answers.failed()
			switch {
			case told != nil:
				err = told
			case c.reused && why == nil && ctx.Err() == nil && c.answers.untouched():
				// The connection was closed for it, and net/http may say no more than that.
				err = socket.ErrStale
			}
		}
		if ended := ctx.Err(); why == nil && ended != nil && errors.Is(err, context.Canceled) {
			err = ended // the call ends by a cancel, whatever ended its caller's context
		}
		return t.failure(err, why, c.connected.Load())
	}
	// net/http may still be writing a request that is answered.
	c.once = c.once || !well || !c.written.Load()
	return nil
}

// call gives a call that watches ctx.
func (t *netHTTP) call(ctx context.Context) *call {
	for c := t.calls.get(); c != nil; c = t.calls.get() {
		if c.watch(ctx) {
			return c
		}
	}
	c := newCall(t)
	c.watch(ctx)
	return c
}

// release keeps a call for another request, or ends it for good.
func (t *netHTTP) release(c *call) {
	if c.once {
		c.unwatch()
		c.timer.cancel()
		return
	}
	t.calls.put(c)
}

// read takes the whole answer: only then is the connection used again.
func (t *netHTTP) read(resp *http.Response, x *exchange) (err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// There is no body to read to its end: what follows is another protocol, and
		// net/http no longer minds the context.
		return &http1.Error{Err: http1.ErrSwitchedProtocols}
	}
	if err := t.readBody(resp, x); err != nil {
		return err
	}
	x.status = resp.StatusCode
	x.fields = x.fields[:0]
	x.contentType = x.keepField(resp.Header["Content-Type"])
	x.encoding = x.keepField(resp.Header["Content-Encoding"])
	if x.status != http.StatusOK {
		x.retryAfter = x.keepField(resp.Header["Retry-After"])
		if all := resp.Header["Retry-After"]; len(all) > 1 {
			x.retryAfter = []byte(strings.Join(all, "\n"))
		}
		x.date = x.keepField(resp.Header["Date"])
		x.location = x.keepField(resp.Header["Location"])
	}
	return nil
}

// readBody reads the body to its end into the exchange's own memory.
func (t *netHTTP) readBody(resp *http.Response, x *exchange) error {
	most := t.cfg.MaxAnswer
	x.kept = x.kept[:0]
	if resp.ContentLength > int64(most) {
		return http1.TooLarge(most)
	}
	for {
		if len(x.kept) == cap(x.kept) {
			x.kept = slices.Grow(x.kept, 512)
		}
		n, err := resp.Body.Read(x.kept[len(x.kept):cap(x.kept)])
		x.kept = x.kept[:len(x.kept)+n]
		if len(x.kept) > most {
			return http1.TooLarge(most)
		}
		if errors.Is(err, io.EOF) {
			x.answer = x.kept
			return nil
		}
		if err != nil {
			return &http1.Error{Err: err}
		}
	}
}

// keepField keeps a header's value beyond its answer.
func (x *exchange) keepField(values []string) []byte {
	if len(values) == 0 {
		return nil
	}
	at := len(x.fields)
	x.fields = append(x.fields, values[0]...)
	return x.fields[at:len(x.fields):len(x.fields)]
}

// failure sorts what net/http says into how far the exchange came and whose fault it was.
func (t *netHTTP) failure(err, why error, connected bool) error {
	if why != nil {
		p := phaseAnswer
		if !connected {
			p = phaseConnect
		}
		return &exchangeError{phase: p, err: why}
	}
	if !connected && isRefusedPeer(err) || isRefusedClient(err) {
		return &exchangeError{phase: phaseConnect, secure: true, err: err}
	}
	if !connected {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	if isMalformed(err) {
		if a, ok := errors.AsType[*http1.Error](err); ok {
			err = a // as lean says it
		}
		return &exchangeError{phase: phaseSend, protocol: true, err: &check.TruncatedError{Err: err}}
	}
	return &exchangeError{phase: phaseSend, err: err}
}

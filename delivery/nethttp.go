package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
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
	// Values of headers, made once.
	userAgent, noAgent [1]string

	closed atomic.Bool
}

type values struct {
	name string
	all  []string
}

func newNetHTTP(cfg Config, stats *counters) *netHTTP {
	t := &netHTTP{cfg: cfg, stats: stats, userAgent: [1]string{userAgent}}
	t.calls.most = cfg.MaxIdle
	t.base = &http.Transport{
		DialContext:            t.dial,
		TLSClientConfig:        cfg.TLS,
		TLSHandshakeTimeout:    cfg.Timeouts.TLS,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.MaxIdle,
		MaxIdleConnsPerHost:    cfg.MaxIdlePerDevice,
		IdleConnTimeout:        cfg.IdleTimeout,
		ExpectContinueTimeout:  cfg.Timeouts.Continue,
		MaxResponseHeaderBytes: readBuffer,
		WriteBufferSize:        longWrite,
		ReadBufferSize:         readBuffer,
		DisableCompression:     true, // an artifact's answer is small; a small one that grows is an attack
	}
	t.around = t.base
	if cfg.RoundTripper != nil {
		t.around = cfg.RoundTripper(t.base)
	}
	for name, all := range sortedHeader(cfg.Header) {
		t.extra = append(t.extra, values{name, all})
	}
	return t
}

func (t *netHTTP) close() {
	t.closed.Store(true)
	t.calls.close()
	t.base.CloseIdleConnections()
}

func (t *netHTTP) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.stats.dials.Add(1)
	nc, err := dialWithin(ctx, t.cfg, address, time.Now().Add(t.cfg.Timeouts.Dial))
	if err != nil {
		return nil, err
	}
	return newCountedConn(nc, t.stats, &t.chunks), nil
}

func (t *netHTTP) roundTrip(ctx context.Context, x *exchange) error {
	c := t.call(ctx)
	defer t.release(c)
	req := c.request(ctx, x)
	if ctx.Err() != nil {
		c.clock.expire() // the watch may have struck before the clock ran
	}
	resp, err := t.around.RoundTrip(req)
	if err == nil {
		err = t.read(resp, x)
	}
	c.body.detach()
	why, well := c.clock.end()
	if t.closed.Load() {
		t.base.CloseIdleConnections() // the request may have begun after close did so
	}
	if err != nil {
		c.once = true
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
		c.clock.cancel()
		return
	}
	t.calls.put(c)
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
	if err := t.readBody(resp, x); err != nil {
		return err
	}
	x.status = resp.StatusCode
	x.fields = x.fields[:0]
	x.contentType = x.keepField(resp.Header["Content-Type"])
	x.encoding = x.keepField(resp.Header["Content-Encoding"])
	if x.status != http.StatusOK {
		x.retryAfter = x.keepField(resp.Header["Retry-After"])
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
		return &answerError{fmt.Errorf("%w of %d bytes", errAnswerTooLarge, most)}
	}
	for {
		if len(x.kept) == cap(x.kept) {
			x.kept = slices.Grow(x.kept, 512)
		}
		n, err := resp.Body.Read(x.kept[len(x.kept):cap(x.kept)])
		x.kept = x.kept[:len(x.kept)+n]
		if len(x.kept) > most {
			return &answerError{fmt.Errorf("%w of %d bytes", errAnswerTooLarge, most)}
		}
		if errors.Is(err, io.EOF) {
			x.answer = x.kept
			return nil
		}
		if err != nil {
			return &answerError{err}
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

// answerError is a failure after the answer's header came.
type answerError struct{ err error }

func (e *answerError) Error() string { return "reading answer: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

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
		return &exchangeError{phase: phaseSend, protocol: true, err: &clippedError{err}}
	}
	return &exchangeError{phase: phaseSend, err: err}
}

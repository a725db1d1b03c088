package nethttp

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// maxFields is how many fields a protocol adds to a request, at most.
const maxFields = 5

// pooledRequest is a request of net/http with its context, both made once, and what watches over
// it. It is used again only if net/http is known to be done with the last exchange.
type pooledRequest struct {
	t           *transport
	req         *http.Request
	url         url.URL
	header      http.Header
	values      [maxFields][1]string
	answers     *answerConn // the connection, if it carries this request alone; nil: HTTP/2, or none yet
	fresh       bool        // the connection must have carried nothing before
	reused      bool        // the connection has
	size        int64       // of the body
	body        requestBody
	timer       requestTimer
	lifetime    context.Context // ends the exchange
	ctx         requestContext  // lifetime with the trace, and the caller's values
	clientTrace httptrace.ClientTrace
	trace       *exchange.Trace

	connected   atomic.Bool
	handshaking atomic.Bool
	written     atomic.Bool // the request is out
	singleUse   bool        // net/http may hold on to it: it is not used again
	noBody      bool

	watch exchange.ContextWatch // of the caller's context, whose end ends the exchange
}

func newPooledRequest(t *transport) *pooledRequest {
	c := &pooledRequest{t: t, header: make(http.Header, maxFields+len(t.cfg.Header.Fields)+2)}
	c.body.timer, c.timer.body = &c.timer, &c.body
	c.clientTrace = httptrace.ClientTrace{GetConn: c.getConn, GotConn: c.gotConn, WroteRequest: c.wroteRequest}
	if t.cfg.Traced {
		c.clientTrace.TLSHandshakeStart = func() {
			if !c.handshaking.Swap(true) { // for HTTP/2 net/http calls it twice
				c.trace.Mark(exchange.Connected)
			}
		}
		c.clientTrace.TLSHandshakeDone = func(_ tls.ConnectionState, err error) {
			if err == nil {
				c.trace.Mark(exchange.Secured)
			}
		}
		c.clientTrace.GotFirstResponseByte = func() {
			if c.answers == nil { // otherwise answers has marked it
				c.trace.Mark(exchange.Answered)
			}
		}
	}
	c.lifetime, c.timer.cancel = context.WithCancel(context.Background())
	c.watch = exchange.NewContextWatch(c.timer.cancelRequest)
	c.ctx.Context = httptrace.WithClientTrace(c.lifetime, &c.clientTrace)
	req := http.Request{URL: &c.url, Header: c.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	c.req = req.WithContext(&c.ctx)
	return c
}

// requestContext is the context of a pooledRequest, with the values of the caller's context.
type requestContext struct {
	context.Context
	caller context.Context
}

// Value asks the request's own context first: package context calls Value for its own purposes,
// even after the exchange.
func (c *requestContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.caller.Value(key)
}

// requestPool keeps pooled requests that no exchange uses, up to a bound.
type requestPool struct {
	mu     sync.Mutex
	free   []*pooledRequest
	max    int
	closed bool
}

func (p *requestPool) get() *pooledRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free) - 1
	if n < 0 {
		return nil
	}
	c := p.free[n]
	p.free[n], p.free = nil, p.free[:n]
	return c
}

// put keeps a request for another exchange, or drops it.
func (p *requestPool) put(c *pooledRequest) {
	if !c.watch.Rest() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.free) >= p.max {
		c.watch.Stop()
		return
	}
	p.free = append(p.free, c)
}

func (p *requestPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.free {
		c.watch.Stop()
	}
	p.free = nil
}

func (c *pooledRequest) getConn(string) {
	c.connected.Store(false) // net/http sends a GET again on its own
	c.handshaking.Store(false)
	c.trace.Mark(exchange.Prepared)
}

func (c *pooledRequest) gotConn(info httptrace.GotConnInfo) {
	c.trace.GotConn(info.Reused)
	c.connected.Store(true)
	c.reused = info.Reused
	c.singleUse = c.singleUse || !info.WasIdle // net/http may still dial for it
	var counted *countedConn
	c.answers = nil
	switch nc := info.Conn.(type) {
	case *answerConn:
		c.answers, counted = nc, nc.counted
		nc.begin(c.size, c.fresh && info.Reused, c.trace)
	case *tls.Conn:
		c.singleUse = true // a goroutine of HTTP/2 reads the request until it ends
		counted, _ = nc.NetConn().(*countedConn)
	}
	c.timer.setConn(counted, c.answers)
	c.t.stats.Requests.Add(1)
	if info.Reused {
		c.t.stats.Reused.Add(1)
	}
	if c.noBody {
		c.timer.requestWritten()
	}
}

func (c *pooledRequest) wroteRequest(httptrace.WroteRequestInfo) {
	c.written.Store(true)
	c.trace.Mark(exchange.Written)
	c.timer.requestWritten()
}

// request returns the request, made ready for an exchange.
func (c *pooledRequest) request(ctx context.Context, x *exchange.Exchange) *http.Request {
	r := &x.Request
	c.connected.Store(false)
	c.written.Store(false)
	c.noBody, c.fresh, c.size, c.answers = r.Body == nil, r.Fresh, 0, nil
	if r.Body != nil {
		c.size = r.Body.Size
	}
	c.singleUse = c.t.cfg.RoundTripper != nil // it may keep the request
	c.ctx.caller, c.trace = ctx, x.Trace
	c.fillHeader(r)
	c.fillURL(r.To, r.Path)
	req := c.req
	if httptrace.ContextClientTrace(ctx) != nil { // the caller watches as well
		c.singleUse = true
		trace := c.clientTrace
		req = req.WithContext(httptrace.WithClientTrace(&requestContext{c.lifetime, ctx}, &trace))
	}
	req.Method, req.Host, req.Body, req.ContentLength = r.Method, r.To.Host, nil, 0
	if r.Body != nil {
		// No GetBody: net/http must not send an update again on its own.
		req.Body, req.ContentLength = &c.body, r.Body.Size
	}
	c.body.attach(r.Body, r.Rate)
	c.timer.start(&c.t.cfg.Limits, c.t.cfg.Limits.RequestTime(r.Body), c.size)
	return req
}

// unfinished reports whether the device answered an upload that it will never receive in full.
func (c *pooledRequest) unfinished(a *exchange.Body) bool {
	return c.body.bytesRead() < a.Size || c.answers != nil && c.answers.unfinished()
}

func (c *pooledRequest) fillHeader(r *exchange.Request) {
	clear(c.header)
	// net/http formats the value of User-Agent, which allocates, and copies any other. On the wire
	// the case of a name doesn't matter.
	common := &c.t.cfg.Header
	if r.Identity != nil {
		common = &r.Identity.Header
	}
	c.header["User-Agent"] = c.t.noUserAgent
	c.header["user-agent"] = common.UserAgent
	if r.Header != nil {
		for i, f := range r.Header.Fields {
			c.values[i][0] = f.Value
			c.header[f.Name] = c.values[i][:]
		}
	}
	if f := r.Own; f.Name != "" {
		c.values[maxFields-1][0] = f.Value
		c.header[f.Name] = c.values[maxFields-1][:]
	}
	if r.Expect {
		c.header["Expect"] = []string{"100-continue"}
	}
	for _, h := range common.Fields {
		c.header[h.Name] = h.Values
	}
}

// fillURL sets the URL. RawPath keeps the path as it is: Path alone would be escaped more than
// needed.
func (c *pooledRequest) fillURL(to endpoint.Target, path string) {
	scheme := "http"
	if to.TLS {
		scheme = "https"
	}
	raw := path
	if to.PathPrefix != "" {
		raw = to.PathPrefix + path
	}
	c.url = url.URL{Scheme: scheme, Host: to.Host, Path: raw, RawPath: raw}
	if path, query, found := strings.Cut(raw, "?"); found || strings.IndexByte(raw, '%') >= 0 { // a redirect's
		c.url.Path, c.url.RawPath, c.url.RawQuery = path, path, query
		if plain, err := url.PathUnescape(path); err == nil {
			c.url.Path = plain
		}
	}
}

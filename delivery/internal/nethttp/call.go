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

// call is what one request of the nethttp transport needs besides net/http's own: the
// request and its context, made once. It is used again only after a request that
// net/http is known to be done with.
type call struct {
	t           *transport
	req         *http.Request
	url         url.URL
	header      http.Header
	values      [maxFields][1]string
	answers     *answerConn // what carries the request alone; nil: HTTP/2, or nothing yet
	fresh       bool        // it must carry nothing before
	reused      bool        // it carried something before
	size        int64       // of the body
	body        requestBody
	timer       requestTimer
	base        context.Context // ends with the call
	ctx         callContext     // base with the trace, and the caller's values
	clientTrace httptrace.ClientTrace
	trace       *exchange.Trace

	connected   atomic.Bool
	handshaking atomic.Bool
	written     atomic.Bool // the request is out
	once        bool        // net/http may hold on to it: not to be used again
	bodiless    bool

	watch exchange.ContextWatch // of the caller's context, whose end ends the call
}

func newCall(t *transport) *call {
	c := &call{t: t, header: make(http.Header, maxFields+len(t.cfg.Header.Fields)+2)}
	c.body.timer, c.timer.body = &c.timer, &c.body
	c.clientTrace = httptrace.ClientTrace{GetConn: c.getConn, GotConn: c.gotConn, WroteRequest: c.wroteRequest}
	if t.cfg.Traced {
		c.clientTrace.TLSHandshakeStart = func() {
			if !c.handshaking.Swap(true) { // of HTTP/2 net/http tells a second time
				c.trace.Mark(exchange.Connected)
			}
		}
		c.clientTrace.TLSHandshakeDone = func(_ tls.ConnectionState, err error) {
			if err == nil {
				c.trace.Mark(exchange.Secured)
			}
		}
		c.clientTrace.GotFirstResponseByte = func() {
			if c.answers == nil { // else that has told
				c.trace.Mark(exchange.Answered)
			}
		}
	}
	c.base, c.timer.cancel = context.WithCancel(context.Background())
	c.watch = exchange.NewContextWatch(c.timer.cancelRequest)
	c.ctx.Context = httptrace.WithClientTrace(c.base, &c.clientTrace)
	c.req = (&http.Request{URL: &c.url, Header: c.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(&c.ctx)
	return c
}

// callContext is a call's own context, which ends with the call, and beneath it the
// values of its caller's.
type callContext struct {
	context.Context
	caller context.Context
}

// Value asks the call's own context first: package context itself asks it, for its
// own ends, even after the call.
func (c *callContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.caller.Value(key)
}

// callPool keeps calls that no request uses, up to a bound.
type callPool struct {
	mu     sync.Mutex
	free   []*call
	most   int
	closed bool
}

func (p *callPool) get() *call {
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

// put takes a call back, or drops it.
func (p *callPool) put(c *call) {
	if !c.watch.Rest() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.free) >= p.most {
		c.watch.Stop()
		return
	}
	p.free = append(p.free, c)
}

func (p *callPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.free {
		c.watch.Stop()
	}
	p.free = nil
}

func (c *call) getConn(string) {
	c.connected.Store(false) // net/http tries a GET again by itself
	c.handshaking.Store(false)
	c.trace.Mark(exchange.Prepared)
}

func (c *call) gotConn(info httptrace.GotConnInfo) {
	c.trace.GotConn(info.Reused)
	c.connected.Store(true)
	c.reused = info.Reused
	c.once = c.once || !info.WasIdle // net/http may be dialing in its name yet
	var counted *countedConn
	c.answers = nil
	switch nc := info.Conn.(type) {
	case *answerConn:
		c.answers, counted = nc, nc.counted
		nc.begin(c.size, c.fresh && info.Reused, c.trace)
	case *tls.Conn:
		c.once = true // HTTP/2 has a goroutine that looks at the request to its end
		counted, _ = nc.NetConn().(*countedConn)
	}
	c.timer.setConn(counted, c.answers)
	c.t.stats.Requests.Add(1)
	if info.Reused {
		c.t.stats.Reused.Add(1)
	}
	if c.bodiless {
		c.timer.requestWritten()
	}
}

func (c *call) wroteRequest(httptrace.WroteRequestInfo) {
	c.written.Store(true)
	c.trace.Mark(exchange.Written)
	c.timer.requestWritten()
}

// request readies the call for an exchange.
func (c *call) request(ctx context.Context, x *exchange.Exchange) *http.Request {
	r := &x.Request
	c.connected.Store(false)
	c.written.Store(false)
	c.bodiless, c.fresh, c.size, c.answers = r.Body == nil, r.Fresh, 0, nil
	if r.Body != nil {
		c.size = r.Body.Size
	}
	c.once = c.t.cfg.RoundTripper != nil // who knows what that keeps
	c.ctx.caller, c.trace = ctx, x.Trace
	c.fillHeader(r)
	c.fillURL(r.To, r.Path)
	req := c.req
	if httptrace.ContextClientTrace(ctx) != nil { // the caller watches as well
		c.once = true
		trace := c.clientTrace
		req = req.WithContext(httptrace.WithClientTrace(&callContext{c.base, ctx}, &trace))
	}
	req.Method, req.Host, req.Body, req.ContentLength = r.Method, r.To.Host, nil, 0
	if r.Body != nil {
		// No GetBody: net/http must not send an update again on its own account.
		req.Body, req.ContentLength = &c.body, r.Body.Size
	}
	c.body.attach(r.Body, r.Rate)
	c.timer.start(&c.t.cfg.Limits, c.t.cfg.Limits.RequestTime(r.Body), c.size)
	return req
}

// unfinished reports whether a success was told to an upload that could not be completed.
func (c *call) unfinished(a *exchange.Body) bool {
	return c.body.passed() < a.Size || c.answers != nil && c.answers.unfinished()
}

func (c *call) fillHeader(r *exchange.Request) {
	clear(c.header)
	// net/http formats the value of User-Agent, which allocates, and copies any other;
	// names of headers don't depend on case.
	common := &c.t.cfg.Header
	if r.Identity != nil {
		common = &r.Identity.Header
	}
	c.header["User-Agent"] = c.t.noAgent
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

// fillURL keeps the path as it was given: Path alone would be escaped beyond need.
func (c *call) fillURL(to endpoint.Target, path string) {
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

package delivery

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
)

// maxFields is how many fields a protocol adds to a request, at most.
const maxFields = 5

// call is what one request of the nethttp transport needs besides net/http's own: the
// request and its context, made once. It is used again only after a request that
// net/http is known to be done with.
type call struct {
	t           *netHTTP
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
	trace       *trace

	connected   atomic.Bool
	handshaking atomic.Bool
	written     atomic.Bool // the request is out
	once        bool        // net/http may hold on to it: not to be used again
	bodiless    bool

	// The watch of the caller's context, as of a conn: it stays armed where the same
	// context comes again, because arming it costs allocations.
	armed, lastFor <-chan struct{}
	steady         bool
	disarm         func() bool
}

func newCall(t *netHTTP) *call {
	c := &call{t: t, header: make(http.Header, maxFields+len(t.extra)+2)}
	c.body.timer, c.timer.body = &c.timer, &c.body
	c.clientTrace = httptrace.ClientTrace{GetConn: c.getConn, GotConn: c.gotConn, WroteRequest: c.wroteRequest}
	if t.cfg.Observe != nil {
		c.clientTrace.TLSHandshakeStart = func() {
			if !c.handshaking.Swap(true) { // of HTTP/2 net/http tells a second time
				c.trace.mark(atConnected)
			}
		}
		c.clientTrace.TLSHandshakeDone = func(_ tls.ConnectionState, err error) {
			if err == nil {
				c.trace.mark(atSecured)
			}
		}
		c.clientTrace.GotFirstResponseByte = func() {
			if c.answers == nil { // else that has told
				c.trace.mark(atAnswered)
			}
		}
	}
	c.base, c.timer.cancel = context.WithCancel(context.Background())
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

// watch makes an end of the caller's context end the call. It reports false if the
// call can't be used: it watched another that has just ended.
func (c *call) watch(ctx context.Context) bool {
	done := ctx.Done()
	if c.armed == done {
		return true
	}
	if !c.unwatch() {
		return false
	}
	c.steady, c.lastFor = c.lastFor == done, done
	if done != nil {
		c.armed, c.disarm = done, context.AfterFunc(ctx, c.timer.cancelRequest)
	}
	return true
}

// unwatch takes the watch off, and reports whether it had not struck.
func (c *call) unwatch() bool {
	if c.armed == nil {
		return true
	}
	c.armed = nil
	return c.disarm()
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
	if !c.steady && !c.unwatch() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.free) >= p.most {
		c.unwatch()
		return
	}
	p.free = append(p.free, c)
}

func (p *callPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.free {
		c.unwatch()
	}
	p.free = nil
}

func (c *call) getConn(string) {
	c.connected.Store(false) // net/http tries a GET again by itself
	c.handshaking.Store(false)
	c.trace.mark(atPrepared)
}

func (c *call) gotConn(info httptrace.GotConnInfo) {
	c.trace.gotConn(info.Reused)
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
	c.t.stats.requests.Add(1)
	if info.Reused {
		c.t.stats.reused.Add(1)
	}
	if c.bodiless {
		c.timer.requestWritten()
	}
}

func (c *call) wroteRequest(httptrace.WroteRequestInfo) {
	c.written.Store(true)
	c.trace.mark(atWritten)
	c.timer.requestWritten()
}

// request readies the call for an exchange.
func (c *call) request(ctx context.Context, x *exchange) *http.Request {
	c.connected.Store(false)
	c.written.Store(false)
	c.bodiless, c.fresh, c.size, c.answers = x.body == nil, x.fresh, 0, nil
	if x.body != nil {
		c.size = x.body.size
	}
	c.once = c.t.cfg.RoundTripper != nil // who knows what that keeps
	c.ctx.caller, c.trace = ctx, x.trace
	c.fillHeader(x)
	c.fillURL(x.to, x.path)
	req := c.req
	if httptrace.ContextClientTrace(ctx) != nil { // the caller watches as well
		c.once = true
		trace := c.clientTrace
		req = req.WithContext(httptrace.WithClientTrace(&callContext{c.base, ctx}, &trace))
	}
	req.Method, req.Host, req.Body, req.ContentLength = x.method, x.to.Host, nil, 0
	if x.body != nil {
		// No GetBody: net/http must not send an update again on its own account.
		req.Body, req.ContentLength = &c.body, x.body.size
	}
	c.body.attach(x.body, x.rate)
	c.timer.start(c.t.cfg.Timeouts, c.t.cfg.Timeouts.total(x.body), c.size)
	return req
}

// unfinished reports whether a success was told to an upload that could not be completed.
func (c *call) unfinished(a *Artifact) bool {
	return c.body.passed() < a.size || c.answers != nil && c.answers.unfinished()
}

func (c *call) fillHeader(x *exchange) {
	clear(c.header)
	// net/http formats the value of User-Agent, which allocates, and copies any other;
	// names of headers don't depend on case.
	agent, extra := c.t.userAgent, c.t.extra
	if x.who != nil {
		agent, extra = x.who.agent, x.who.extra
	}
	c.header["User-Agent"] = c.t.noAgent
	c.header["user-agent"] = agent
	if x.header != nil {
		for i, f := range x.header.fields {
			c.values[i][0] = f.value
			c.header[f.name] = c.values[i][:]
		}
	}
	if f := x.own; f.name != "" {
		c.values[maxFields-1][0] = f.value
		c.header[f.name] = c.values[maxFields-1][:]
	}
	if x.expect {
		c.header["Expect"] = []string{"100-continue"}
	}
	for _, h := range extra {
		c.header[h.name] = h.all
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

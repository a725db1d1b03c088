package delivery

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// call is what one request of the nethttp transport needs besides net/http's own. It
// is used again only after a request that net/http is known to be done with.
type call struct {
	t      *netHTTP
	url    url.URL
	header http.Header
	values [len(exchange{}.header)][1]string
	body   requestBody
	clock  callClock
	trace  httptrace.ClientTrace
	traced context.Context // nothing but the trace

	connected atomic.Bool
	written   atomic.Bool // the request is out
	shared    bool        // its trace is the caller's as well: not to be used again
	bodiless  bool
}

func newCall(t *netHTTP) *call {
	c := &call{t: t, header: make(http.Header, len(exchange{}.header)+len(t.extra)+2)}
	c.body.clock, c.clock.body = &c.clock, &c.body
	c.trace = httptrace.ClientTrace{GetConn: c.getConn, GotConn: c.gotConn, WroteRequest: c.wroteRequest}
	c.traced = httptrace.WithClientTrace(context.Background(), &c.trace)
	return c
}

func (c *call) getConn(string) { c.connected.Store(false) } // net/http tries a GET again by itself

func (c *call) gotConn(info httptrace.GotConnInfo) {
	c.connected.Store(true)
	c.t.stats.requests.Add(1)
	if info.Reused {
		c.t.stats.reused.Add(1)
	}
	nc, shared := info.Conn, false
	if s, ok := nc.(*tls.Conn); ok {
		nc, shared = s.NetConn(), s.ConnectionState().NegotiatedProtocol == "h2"
	}
	if counted, ok := nc.(*countedConn); ok && !shared {
		c.clock.on(counted)
	}
	if c.bodiless {
		c.clock.sent()
	}
}

func (c *call) wroteRequest(httptrace.WroteRequestInfo) {
	c.written.Store(true)
	c.clock.sent()
}

// begin readies the call for an exchange.
func (c *call) begin(x *exchange, cancel context.CancelFunc) {
	c.connected.Store(false)
	c.written.Store(false)
	c.bodiless = x.body == nil
	c.body.attach(x.body)
	c.clock.begin(c.t.cfg.Timeouts, cancel)
}

// request is the exchange's, as net/http wants it.
func (c *call) request(ctx context.Context, to target, x *exchange) *http.Request {
	c.fillHeader(x)
	c.fillURL(to, x.path)
	req := http.Request{
		Method: x.method, URL: &c.url, Host: to.host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if x.body != nil {
		// No GetBody: net/http must not send an update again on its own account.
		req.Body = &c.body
		req.ContentLength = x.body.size
	}
	return req.WithContext(c.context(ctx))
}

func (c *call) fillHeader(x *exchange) {
	clear(c.header)
	c.header["User-Agent"] = c.t.userAgent[:]
	for i, f := range x.header {
		if f.name != "" {
			c.values[i][0] = f.value
			c.header[f.name] = c.values[i][:]
		}
	}
	if x.expect {
		c.header["Expect"] = []string{"100-continue"}
	}
	for _, h := range c.t.extra {
		c.header[h.name] = h.values
	}
}

// fillURL keeps the path as it was given: Path alone would be escaped beyond need.
func (c *call) fillURL(to target, path string) {
	scheme := "http"
	if to.secure {
		scheme = "https"
	}
	raw := path
	if to.prefix != "" {
		raw = to.prefix + path
	}
	c.url = url.URL{Scheme: scheme, Host: to.host, Path: raw, RawPath: raw}
	if path, query, found := strings.Cut(raw, "?"); found || strings.IndexByte(raw, '%') >= 0 { // a redirect's
		c.url.Path, c.url.RawPath, c.url.RawQuery = path, path, query
		if plain, err := url.PathUnescape(path); err == nil {
			c.url.Path = plain
		}
	}
}

// context is the operation's, with the trace.
func (c *call) context(ctx context.Context) context.Context {
	if httptrace.ContextClientTrace(ctx) != nil { // the caller watches as well
		c.shared = true
		trace := c.trace
		return httptrace.WithClientTrace(ctx, &trace)
	}
	return &callContext{ctx, c.traced}
}

// callContext is a context with a value beside its own. It is what
// httptrace.WithClientTrace makes, which works the trace out anew each time.
type callContext struct {
	context.Context
	traced context.Context
}

func (c *callContext) Value(key any) any {
	if v := c.traced.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

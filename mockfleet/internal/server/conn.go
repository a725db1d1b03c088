package server

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Limits of a connection.
const (
	headerLimit = 8 << 10 // bytes of a request's head; also the read buffer's size

	IdleLimit  = 2 * time.Minute  // how long a connection may be open without a request
	stallLimit = 30 * time.Second // how long a request's head may take, and a body or an answer may make no progress
)

// conn is an open connection to a device, served by one goroutine. While it waits for a request it
// holds no buffers; it takes them when the first byte arrives.
type conn struct {
	transport
	place
	wait     idleWait
	srv      *Server
	device   int         // the device that the connection is for; -1 if the path of each request names one
	served   int         // requests answered so far
	counted  bool        // the connection counts toward its device's limit of connections
	stallTLS bool        // read the client's part of a handshake and never answer it
	buf      *buffers    // nil while the connection waits for a request
	timer    *time.Timer // for sleepUnwatched, made at first use
}

// place is a connection's place in the connTable, and guarded by the table's lock.
type place struct {
	previous, next *conn
	isParked       bool // the connection has no goroutine
	slot           int  // index in connTable.parked; set while isParked
}

// buffers holds what one request needs while it is served. Connections share a pool of them.
type buffers struct {
	reader     *bufio.Reader
	head       requestHead
	request    request        // what the head says
	upload     upload         // the update that the request brings
	report     device.Report  // of the device, if the request asks for its version
	response   fault.Response // which a fault changes
	bodyBuffer *bodyBuffer    // for a large body, until it is read
	body       []byte         // of the response
	out        []byte         // the response, encoded
}

// requestHead is the head of the next request.
type requestHead struct {
	fasthttp.RequestHeader
	isRead bool  // it was read, and is not answered yet
	err    error // of reading it
}

func newBuffers() *buffers {
	return &buffers{reader: bufio.NewReaderSize(nil, headerLimit), body: make([]byte, 0, 512), out: make([]byte, 0, 1024)}
}

func newConn(s *Server, nc net.Conn, device int) *conn {
	c := &conn{transport: transport{Conn: nc, traffic: s.traffic.next()}, srv: s, device: device}
	c.deadline.clock = &s.elapsed
	c.socket = socketOf(c.rawConn())
	if c.socket != nil && c.rawConn() == nc { // over TLS, a readable socket doesn't mean that there is a request
		c.wait.onReadable = c.tryServe
	}
	return c
}

// serve serves a connection that was just accepted, unless its device's behavior ends it.
func (c *conn) serve() {
	switch {
	case c.device >= 0 && c.hasBehavior() && c.onConnect(c.device) == nil:
		c.end()
	case c.stallTLS:
		c.stallHandshake()
		c.end()
	default:
		c.serveLoop()
	}
}

// serveLoop answers requests until the connection ends, or is parked. It also resumes a parked
// connection.
func (c *conn) serveLoop() {
	for {
		ready, park := c.waitRequest()
		if park && c.srv.conns.park(c) {
			return
		}
		if park { // it can't be parked, so it waits on
			continue
		}
		if !ready || !c.serveNext() {
			break
		}
		c.served++
		if c.buf.reader.Buffered() == 0 {
			c.putBuffers()
		}
	}
	c.end()
}

// end closes the connection, and takes it out of the table and of its device's count.
func (c *conn) end() {
	c.putBuffers()
	if c.counted {
		c.srv.store.Disconnect(c.device)
	}
	c.srv.conns.remove(c)
	_ = c.Close() // it ends either way
}

func (c *conn) getBuffers() {
	c.buf = c.srv.bufferPool.Get().(*buffers)
	c.buf.reader.Reset(&c.transport)
	c.buf.head.isRead = false
}

func (c *conn) putBuffers() {
	if c.buf == nil {
		return
	}
	c.putBodyBuffer()
	c.buf.reader.Reset(nil)
	c.srv.bufferPool.Put(c.buf)
	c.buf = nil
}

// closeGracefully ends the connection with a FIN, and goes on reading for a while, since unread
// data would turn the FIN into a reset.
func (c *conn) closeGracefully() {
	if c.buf == nil {
		c.getBuffers()
	}
	c.linger()
}

// serveNext answers the next request, after reading its head unless that has been read. It reports
// whether the connection goes on.
func (c *conn) serveNext() bool {
	if !c.buf.head.isRead {
		c.readHead()
	}
	c.buf.head.isRead = false
	if err := c.buf.head.err; err != nil {
		return c.respondBadHead(err)
	}
	return c.respond(&c.buf.request)
}

// readHead reads the head of the next request into the buffers.
func (c *conn) readHead() {
	b := c.buf
	c.readErr, b.head.isRead = nil, true
	if b.head.err = b.head.Read(b.reader); b.head.err != nil {
		return
	}
	c.traffic.requests.Add(1)
	b.request.read(&b.head.RequestHeader, c.device, c.srv.store.Len())
}

// respond answers a request whose head was read. It reports whether the connection goes on.
func (c *conn) respond(r *request) bool {
	b := c.buf
	if c.hasBehavior() && r.device >= 0 && !c.onRequest(r) {
		return false
	}
	switch {
	case r.route == routeNone:
		return c.respondError(r, http.StatusNotFound, "no such device or path", "")
	case !r.methodAllowed():
		return c.respondError(r, http.StatusMethodNotAllowed, "method not allowed", "Allow: "+r.route.allowed()+"\r\n")
	case r.Expect == fault.ExpectOther:
		return c.respondError(r, http.StatusExpectationFailed, "only 100-continue can be expected", "")
	case r.route == routeUpdate:
		return c.serveUpdate(r)
	case !c.discardBody(r):
		return c.respondError(r, http.StatusRequestEntityTooLarge, "no body is wanted here", "")
	case r.route == routeVersion && r.behavior != nil:
		return c.serveVersion(r)
	case r.route == routeVersion:
		b.report = c.srv.store.Report(r.device)
		b.body = b.report.Append(b.body[:0])
		return c.send(r, fault.Response{Status: http.StatusOK, ContentType: typeJSONLine, Body: b.body})
	}
	if r.behavior != nil && !c.sleep(r.behavior.Network.ExtraDelay(c.srv.store.Seed(), c.srv.store.Number(r.device), 0, random.StreamRTT)) {
		return false
	}
	b.body = append(b.body[:0], wire.HealthBody...)
	return c.send(r, fault.Response{Status: http.StatusOK, ContentType: typeTextLine, Body: b.body})
}

// respondBadHead answers bytes that can't be read as a request's head, unless the connection itself
// failed. It reports whether the connection goes on.
func (c *conn) respondBadHead(err error) bool {
	if c.readErr != nil {
		return false
	}
	c.traffic.malformed.Add(1)
	r := &c.buf.request
	*r = request{Request: fault.Request{Close: true, Length: fault.UnknownLength}}
	var tooLarge *fasthttp.ErrSmallBuffer
	if errors.As(err, &tooLarge) {
		return c.respondError(r, http.StatusRequestHeaderFieldsTooLarge, "the request head is larger than 8 KiB", "")
	}
	return c.respondError(r, http.StatusBadRequest, "not an HTTP/1 request that a device understands", "")
}

// respondError answers with {"error": message}, and discards the request's body if that is cheap.
// It reports whether the connection goes on.
func (c *conn) respondError(r *request, status int, message, extra string) bool {
	c.discardBody(r)
	c.buf.body = appendErrorResponse(c.buf.body[:0], message)
	return c.send(r, fault.Response{Status: status, ContentType: typeJSONLine, Header: extra, Body: c.buf.body})
}

// send writes a response in one write. It reports whether the connection goes on. A connection ends
// if part of the request is unread, since the device can't tell where the next request begins.
func (c *conn) send(r *request, h fault.Response) bool {
	b := c.buf
	ends := r.Close || !r.BodyRead || r.forceHTTP10
	h.HTTP10 = h.HTTP10 || r.forceHTTP10
	connection := ""
	switch {
	case ends:
		connection = "Connection: close\r\n"
	case r.http10: // an HTTP/1.0 client needs to be told
		connection = "Connection: keep-alive\r\n"
	}
	b.out = appendResponse(b.out[:0], &h, connection, c.srv.dateLine(), r.Head)
	if !c.write(b.out) {
		return false
	}
	if !r.BodyRead {
		c.linger()
	}
	return !ends
}

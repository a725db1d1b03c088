package server

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// What a connection may take.
const (
	HeaderLimit = 8 << 10 // bytes of a request's head; also the read buffer's size

	IdleLimit  = 2 * time.Minute  // a connection without a request
	StallLimit = 30 * time.Second // a request's head, or a body or an answer without progress
)

// conn is one open connection to a device, served by one goroutine. While it waits for a request it
// holds no buffers: those are taken when the first byte is there.
type conn struct {
	net.Conn
	srv        *Server
	socket     syscall.RawConn // nil where it can't be asked whether the client left
	ready      syscall.RawConn // the same; nil also where readiness can't be awaited without reading
	onReadable func(fd uintptr) bool
	fd         uintptr // set while tryServe reads: that doesn't block
	inCallback bool    // an answer is made within tryServe, where nothing may wait for the client
	bufferFull bool    // what was read last filled the buffer, so that there may be more
	headRead   bool    // of the next request
	headErr    error   // where that is none
	buf        *buffers
	timer      *time.Timer // for waits, made at first use
	readErr    error       // what the connection itself last failed with
	device     int         // that the connection's address names, or -1
	served     int         // how many requests were answered on it
	counted    bool        // counts as one of those that its device may have
	stallTLS   bool        // takes the client's part of a handshake and never answers it
	belowTLS   bool        // what is read and half-closed is the connection below TLS
	traffic    *trafficCounters
	state      atomic.Int32 // stateServing, stateWaiting or stateWaking
	deadline   atomic.Int64 // when the housekeeper closes it, in nanoseconds since the server's start; 0 is never
	previous   *conn        // neighbors in the server's connTable
	next       *conn

	// Guarded by the connTable's lock.
	isParked bool // has no goroutine
	slot     int  // in the epoll set, where parked
}

// buffers holds what one request needs while it is served. Connections share a pool of them.
type buffers struct {
	reader     *bufio.Reader
	header     fasthttp.RequestHeader
	request    request
	upload     upload
	report     device.Report  // of a device that is asked for its version
	response   fault.Response // that a fault changes
	bodyBuffer *bodyBuffer    // for a large body, until it is read
	body       []byte
	out        []byte
}

func newBuffers() *buffers {
	return &buffers{reader: bufio.NewReaderSize(nil, HeaderLimit), body: make([]byte, 0, 512), out: make([]byte, 0, 1024)}
}

func newConn(s *Server, nc net.Conn, device int) *conn {
	c := &conn{Conn: nc, srv: s, device: device, traffic: s.traffic.next()}
	c.socket = socketOf(c.rawConn())
	if c.socket != nil && c.rawConn() == nc { // below TLS, what is there to read says little
		c.ready, c.onReadable = c.socket, c.tryServe
	}
	return c
}

// serve begins a connection that was just accepted: its device's behavior may end it, otherwise it serves requests.
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

// serveLoop answers requests until the connection ends, or is parked. It also resumes a parked connection.
func (c *conn) serveLoop() {
	for {
		ready, park := c.waitRequest()
		if park && c.srv.conns.park(c) {
			return
		}
		if park { // and can't be: it waits on
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
	c.buf.reader.Reset(c)
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

// setDeadline sets when the housekeeper closes the connection. Its clock ticks slowly, which is all that
// such limits need, and so a request costs no timer.
func (c *conn) setDeadline(after time.Duration) {
	if at := c.srv.elapsed.Load() + int64(after); c.deadline.Load() != at {
		c.deadline.Store(at)
	}
}

// serveNext reads one request, unless its head has been read, and answers it. It reports whether the connection
// goes on.
func (c *conn) serveNext() bool {
	if !c.headRead {
		c.readHead()
	}
	c.headRead = false
	if c.headErr != nil {
		return c.respondBadHead(c.headErr)
	}
	return c.respond(&c.buf.request)
}

// readHead reads the head of the next request into the buffers, or leaves in headErr why there is none.
func (c *conn) readHead() {
	b := c.buf
	c.readErr, c.headRead = nil, true
	if c.headErr = b.header.Read(b.reader); c.headErr != nil {
		return
	}
	c.traffic.requests.Add(1)
	b.request.read(&b.header, c.device, c.srv.store.Len())
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
	if r.behavior != nil && !c.sleep(r.behavior.Network.ExtraDelay(c.srv.store.Seed(), r.device, 0, random.StreamRTT)) {
		return false
	}
	b.body = append(b.body[:0], wire.HealthBody...)
	return c.send(r, fault.Response{Status: http.StatusOK, ContentType: typeTextLine, Body: b.body})
}

// respondBadHead answers what could not be read as a request's head, unless the connection itself failed. It
// reports whether the connection goes on.
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

// respondError answers with {"error": message}, and discards the request's body if that is cheap. It reports
// whether the connection goes on.
func (c *conn) respondError(r *request, status int, message, extra string) bool {
	c.discardBody(r)
	c.buf.body = appendErrorResponse(c.buf.body[:0], message)
	return c.send(r, fault.Response{Status: status, ContentType: typeJSONLine, Header: extra, Body: c.buf.body})
}

// send writes a response in one write. It reports whether the connection goes on: not if part of the request is
// unread, since the next request can't be found behind it.
func (c *conn) send(r *request, h fault.Response) bool {
	b := c.buf
	ends := r.Close || !r.BodyRead || r.forceHTTP10
	h.HTTP10 = h.HTTP10 || r.forceHTTP10
	connection := ""
	switch {
	case ends:
		connection = "Connection: close\r\n"
	case r.http10: // which needs to be told
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

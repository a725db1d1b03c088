package mockfleet

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

const (
	headerLimit = 8 << 10 // bytes of a request's head; also the read buffer's size

	idleLimit  = 2 * time.Minute  // a connection without a request
	stallLimit = 30 * time.Second // a request's head, or a body or an answer without progress
)

// conn is one open connection to a device, served by one goroutine. While it waits for a request it
// holds no buffers: those are in its workspace, taken when the first byte is there.
type conn struct {
	net.Conn
	fleet    *Fleet
	socket   syscall.RawConn // nil where it can't be asked whether the client left
	ready    syscall.RawConn // the same; nil also where readiness can't be awaited without reading
	arrived  func(fd uintptr) bool
	fd       uintptr // set while arrived reads: that doesn't block
	inside   bool    // an answer is made within arrived, where nothing may wait for the client
	filled   bool    // what was read last filled the buffer, so that there may be more
	headRead bool    // of the next request
	headErr  error   // where that is none
	work     *workspace
	timer    *time.Timer // for waits, made at first use
	readErr  error       // what the connection itself last failed with
	device   int         // that the connection's address names, or -1
	served   int         // how many requests were answered on it
	held     bool        // counts as one of those that its device may have
	stalls   bool        // takes the client's part of a handshake and never answers it
	belowTLS bool        // what is read and half-closed is the connection below TLS
	traffic  *traffic
	doing    atomic.Int32 // busy, waiting or nudged
	deadline atomic.Int64 // when the housekeeper closes it, in nanoseconds since the fleet's start; 0 is never
	previous *conn        // neighbours in the fleet's registry
	next     *conn

	// Guarded by the registry's lock.
	isParked bool // has no goroutine
	place    int  // on the lot, where parked
}

// workspace is what serving one request takes, pooled across connections.
type workspace struct {
	reader   *bufio.Reader
	header   fasthttp.RequestHeader
	request  request
	push     upload
	view     device.Report  // of a device that is asked for its version
	response fault.Response // that a fault changes
	sink     *sink          // for a large body, until it is read
	body     []byte
	out      []byte
}

func newWorkspace() *workspace {
	w := &workspace{reader: bufio.NewReaderSize(nil, headerLimit), body: make([]byte, 0, 512), out: make([]byte, 0, 1024)}
	w.push.Request, w.push.Header = &w.request.Request, &w.header
	return w
}

func newConn(f *Fleet, nc net.Conn, device int) *conn {
	c := &conn{Conn: nc, fleet: f, device: device, traffic: f.traffic.next()}
	c.socket = socketOf(c.transport())
	if c.socket != nil && c.transport() == nc { // below TLS, what is there to read says little
		c.ready, c.arrived = c.socket, c.tryArrive
	}
	return c
}

// serve answers requests until the connection ends, or is parked.
func (c *conn) serve() {
	switch {
	case c.device >= 0 && c.eventful() && c.meet(c.device) == nil:
		c.end()
	case c.stalls:
		c.silence()
		c.end()
	default:
		c.resume()
	}
}

// resume goes on with a connection that was parked.
func (c *conn) resume() {
	for {
		ready, park := c.await()
		if park && c.fleet.registry.park(c) {
			return
		}
		if park { // and can't be: it waits on
			continue
		}
		if !ready || !c.answerNext() {
			break
		}
		c.served++
		if c.work.reader.Buffered() == 0 {
			c.dropWorkspace()
		}
	}
	c.end()
}

// end takes the end of the connection into account.
func (c *conn) end() {
	c.dropWorkspace()
	if c.held {
		c.fleet.store.Disconnect(c.device)
	}
	c.fleet.registry.remove(c)
	_ = c.Close() // it ends either way
}

func (c *conn) takeWorkspace() {
	c.work = c.fleet.workspaces.Get().(*workspace)
	c.work.reader.Reset(c)
}

func (c *conn) dropWorkspace() {
	if c.work == nil {
		return
	}
	c.dropSink()
	c.work.reader.Reset(nil)
	c.fleet.workspaces.Put(c.work)
	c.work = nil
}

// Read counts what comes in, moves the deadline, and remembers a failure, so that a broken
// connection isn't taken for a malformed request.
func (c *conn) Read(p []byte) (n int, err error) {
	if c.fd != 0 {
		if n, err = readNow(c.fd, p); err == errNothingYet {
			return 0, err
		}
	} else {
		n, err = c.spoken().Read(p)
	}
	c.traffic.in.Add(uint64(max(n, 0)))
	c.filled = n == len(p)
	if err != nil {
		c.readErr = err
		return n, err
	}
	c.expire(stallLimit)
	return n, nil
}

// expire sets when the housekeeper closes the connection. Its clock ticks slowly, which is all that
// such limits need, and so a request costs no timer.
func (c *conn) expire(after time.Duration) {
	if at := c.fleet.elapsed.Load() + int64(after); c.deadline.Load() != at {
		c.deadline.Store(at)
	}
}

// answerNext reads one request, unless its head has been read, and answers it; false ends the connection.
func (c *conn) answerNext() bool {
	if !c.headRead {
		c.readHead()
	}
	c.headRead = false
	if c.headErr != nil {
		return c.refuseHeader(c.headErr)
	}
	return c.respond(&c.work.request)
}

func (c *conn) readHead() {
	w := c.work
	c.readErr, c.headRead = nil, true
	if c.headErr = w.header.Read(w.reader); c.headErr != nil {
		return
	}
	c.traffic.requests.Add(1)
	w.request.read(&w.header, c.device, c.fleet.store.Len())
}

// respond answers a request whose head was read; false ends the connection.
func (c *conn) respond(r *request) bool {
	w := c.work
	if c.eventful() && r.device >= 0 && !c.endures(r) {
		return false
	}
	switch {
	case r.route == routeNone:
		return c.fail(r, http.StatusNotFound, "no such device or path", "")
	case !r.methodAllowed():
		return c.fail(r, http.StatusMethodNotAllowed, "method not allowed", "Allow: "+r.route.allowed()+"\r\n")
	case r.Expect == fault.ExpectOther:
		return c.fail(r, http.StatusExpectationFailed, "only 100-continue can be expected", "")
	case r.route == routeUpdate:
		return c.answerUpdate(r)
	case !c.discardBody(r):
		return c.fail(r, http.StatusRequestEntityTooLarge, "no body is wanted here", "")
	case r.route == routeVersion && r.plan != nil:
		return c.answerVersion(r)
	case r.route == routeVersion:
		w.body = c.fleet.store.AppendReport(w.body[:0], r.device)
		return c.send(r, fault.Response{Status: http.StatusOK, ContentType: typeJSONLine, Body: w.body})
	}
	if r.plan != nil && !c.pause(r.plan.Network.ExtraDelay(c.fleet.store.Seed(), r.device, 0, random.StreamRTT)) {
		return false
	}
	w.body = append(w.body[:0], wire.HealthBody...)
	return c.send(r, fault.Response{Status: http.StatusOK, ContentType: typeTextLine, Body: w.body})
}

// refuseHeader answers what isn't a request, unless the connection itself broke.
func (c *conn) refuseHeader(err error) bool {
	if c.readErr != nil {
		return false
	}
	c.traffic.malformed.Add(1)
	r := &c.work.request
	*r = request{Request: fault.Request{Close: true, Length: fault.UnknownLength}}
	var tooLarge *fasthttp.ErrSmallBuffer
	if errors.As(err, &tooLarge) {
		return c.fail(r, http.StatusRequestHeaderFieldsTooLarge, "the request head is larger than 8 KiB", "")
	}
	return c.fail(r, http.StatusBadRequest, "not an HTTP/1 request that a device understands", "")
}

// fail answers with {"error": message} and gets rid of the request's body.
func (c *conn) fail(r *request, status int, message, extra string) bool {
	c.discardBody(r)
	c.work.body = appendErrorAnswer(c.work.body[:0], message)
	return c.send(r, fault.Response{Status: status, ContentType: typeJSONLine, Header: extra, Body: c.work.body})
}

// send writes a response in one write. An unread rest of the request
// ends the connection, since the next request can't be found behind it.
func (c *conn) send(r *request, h fault.Response) bool {
	w := c.work
	ends := r.Close || !r.BodyRead || r.answer10
	h.HTTP10 = h.HTTP10 || r.answer10
	connection := ""
	switch {
	case ends:
		connection = "Connection: close\r\n"
	case r.http10: // which needs to be told
		connection = "Connection: keep-alive\r\n"
	}
	w.out = appendAnswer(w.out[:0], &h, connection, c.fleet.dateLine(), r.Head)
	if !c.write(w.out) {
		return false
	}
	if !r.BodyRead {
		c.linger()
	}
	return !ends
}

func (c *conn) write(b []byte) bool {
	n, err := c.Write(b)
	c.traffic.out.Add(uint64(n))
	return err == nil
}

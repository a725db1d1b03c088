package mockfleet

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// request is the head of a request, as far as a device looks at it.
type request struct {
	device    int   // -1 where the path names none
	length    int64 // bytes of body; unknownLength where it is chunked
	route     route
	method    method
	close     bool // the connection ends with the answer
	http10    bool
	expect    expectation
	bodyTaken bool  // nothing of the body is left to read
	answer10  bool  // in HTTP/1.0
	plan      *plan // of the device; nil where every device is well
}

const unknownLength = -1

type route uint8

const (
	routeNone route = iota
	routeUpdate
	routeVersion
	routeHealth
)

type method uint8

const (
	methodOther method = iota
	methodGet
	methodHead
	methodPost
)

type expectation uint8

const (
	expectNothing expectation = iota
	expectContinue
	expectOther
)

var headerExpect = []byte(fasthttp.HeaderExpect)

// read takes the facts from a parsed head. device is the one that the connection's address names, or
// -1 where the path does, of devices in all.
func (r *request) read(h *fasthttp.RequestHeader, device, devices int) {
	*r = request{device: device, close: h.ConnectionClose(), http10: !h.IsHTTP11()}
	switch n := h.ContentLength(); n {
	case -1:
		r.length = unknownLength
	case -2: // neither Content-Length nor Transfer-Encoding: no body (RFC 9112 §6.3)
		r.bodyTaken = true
	default:
		r.length, r.bodyTaken = int64(n), n == 0
	}
	switch {
	case h.IsGet():
		r.method = methodGet
	case h.IsHead():
		r.method = methodHead
	case h.IsPost():
		r.method = methodPost
	}
	// An HTTP/1.0 client can't wait for a 100 (RFC 9110 §10.1.1).
	if expect := h.PeekCanonical(headerExpect); len(expect) > 0 && !r.http10 {
		r.expect = expectOther
		if bytes.EqualFold(expect, []byte("100-continue")) {
			r.expect = expectContinue
		}
	}
	path := originPath(h.RequestURI())
	if device < 0 {
		if r.device, path = splitDevicePath(path, devices); r.device < 0 {
			return
		}
	}
	switch string(path) {
	case wire.PathUpdate:
		r.route = routeUpdate
	case wire.PathVersion:
		r.route = routeVersion
	case wire.PathHealth:
		r.route = routeHealth
	}
}

// originPath is the path of a request target without its query. A target may also be absolute
// (http://host/path), which a server must accept (RFC 9112 §3.2.2).
func originPath(target []byte) []byte {
	if len(target) > 0 && target[0] != '/' {
		if _, after, ok := bytes.Cut(target, []byte("://")); ok {
			slash := bytes.IndexByte(after, '/')
			if slash < 0 {
				return nil
			}
			target = after[slash:]
		}
	}
	if query := bytes.IndexByte(target, '?'); query >= 0 {
		target = target[:query]
	}
	return target
}

// splitDevicePath takes /d/INDEX off path; -1 where that names no device.
func splitDevicePath(path []byte, devices int) (int, []byte) {
	rest, ok := bytes.CutPrefix(path, []byte(devicePrefix))
	if !ok {
		return -1, nil
	}
	n, i := 0, 0
	for ; i < len(rest) && isDigit(rest[i]); i++ {
		if n = n*10 + int(rest[i]-'0'); n >= devices {
			return -1, nil
		}
	}
	if i == 0 || i > 1 && rest[0] == '0' { // one spelling an index
		return -1, nil
	}
	return n, rest[i:]
}

// allowed is the Allow field of a route, for a method that it doesn't have.
func (r route) allowed() string {
	if r == routeUpdate {
		return "POST"
	}
	return "GET, HEAD"
}

func (r *request) methodAllowed() bool {
	if r.route == routeUpdate {
		return r.method == methodPost
	}
	return r.method == methodGet || r.method == methodHead
}

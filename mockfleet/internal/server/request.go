package server

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// request is the head of a request, as far as a device looks at it.
type request struct {
	fault.Request
	device      int // -1 if the path names none
	route       route
	method      method
	http10      bool
	forceHTTP10 bool             // respond in HTTP/1.0
	behavior    *device.Compiled // of the device; nil if no device of the fleet has one
}

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

var headerExpect = []byte(fasthttp.HeaderExpect)

// read fills r from a parsed head. device is the device that the connection is for, or -1 if the
// path names it; devices is how many devices there are.
func (r *request) read(h *fasthttp.RequestHeader, device, devices int) {
	*r = request{device: device, http10: !h.IsHTTP11()}
	r.Close, r.Head, r.Target = h.ConnectionClose(), h.IsHead(), h.RequestURI()
	r.Path = originPath(r.Target)
	switch n := h.ContentLength(); n {
	case -1:
		r.Length = fault.UnknownLength
	case -2: // neither Content-Length nor Transfer-Encoding: no body (RFC 9112 §6.3)
		r.BodyRead = true
	default:
		r.Length, r.BodyRead = int64(n), n == 0
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
		r.Expect = fault.ExpectOther
		if bytes.EqualFold(expect, []byte("100-continue")) {
			r.Expect = fault.ExpectContinue
		}
	}
	path := r.Path
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

// originPath returns the path of a request target without its query. A target may also be absolute
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

// splitDevicePath splits /d/INDEX off path. It returns -1 if that names no device.
func splitDevicePath(path []byte, devices int) (int, []byte) {
	rest, ok := bytes.CutPrefix(path, []byte(address.PathPrefix))
	if !ok {
		return -1, nil
	}
	n, i := 0, 0
	for ; i < len(rest) && isDigit(rest[i]); i++ {
		if n = n*10 + int(rest[i]-'0'); n >= devices {
			return -1, nil
		}
	}
	if i == 0 || i > 1 && rest[0] == '0' { // each index has one spelling
		return -1, nil
	}
	return n, rest[i:]
}

// allowed returns the methods of a route, for the Allow field.
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

// Responses are built in a connection's own buffers, and leave in one write.

const (
	statusLineOK     = "HTTP/1.1 200 OK\r\n"
	typeJSONLine     = "Content-Type: " + wire.TypeJSON + "\r\n"
	typeTextLine     = "Content-Type: text/plain; charset=utf-8\r\n"
	continueResponse = "HTTP/1.1 100 Continue\r\n\r\n"
)

// appendResponse appends a response. connection is the line of its Connection field, or empty.
func appendResponse(dst []byte, h *fault.Response, connection string, dateLine []byte, omitBody bool) []byte {
	switch {
	case h.Status == http.StatusOK && !h.HTTP10:
		dst = append(dst, statusLineOK...)
	default:
		protocol := "HTTP/1.1 "
		if h.HTTP10 {
			protocol = "HTTP/1.0 "
		}
		dst = append(dst, protocol...)
		dst = strconv.AppendInt(dst, int64(h.Status), 10)
		dst = append(dst, ' ')
		dst = append(dst, http.StatusText(h.Status)...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, dateLine...)
	dst = append(dst, h.ContentType...)
	dst = append(dst, h.Header...)
	dst = append(dst, connection...)
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(h.Body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	if omitBody {
		return dst
	}
	return append(dst, h.Body...)
}

// appendDateLine appends a Date field (RFC 9110 §6.6.1).
func appendDateLine(dst []byte, t time.Time) []byte {
	dst = append(dst, "Date: "...)
	dst = t.UTC().AppendFormat(dst, http.TimeFormat)
	return append(dst, "\r\n"...)
}

// appendUpdateResponse appends a wire.UpdateAnswer. message must need no escaping in JSON.
func appendUpdateResponse(dst []byte, success bool, message string, size int64, digest []byte) []byte {
	dst = append(dst, `{"success":`...)
	dst = strconv.AppendBool(dst, success)
	dst = append(dst, `,"message":"`...)
	dst = append(dst, message...)
	dst = append(dst, `","size":`...)
	dst = strconv.AppendInt(dst, size, 10)
	dst = append(dst, `,"digest":"`...)
	dst = hex.AppendEncode(dst, digest)
	return append(dst, `"}`...)
}

// appendErrorResponse appends {"error": message}. message must need no escaping in JSON.
func appendErrorResponse(dst []byte, message string) []byte {
	dst = append(dst, `{"error":"`...)
	dst = append(dst, message...)
	return append(dst, `"}`...)
}

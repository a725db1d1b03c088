package mockfleet

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

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

// Answers are put together in a connection's own buffers and leave in one write.

const (
	statusLineOK   = "HTTP/1.1 200 OK\r\n"
	typeJSONLine   = "Content-Type: " + wire.TypeJSON + "\r\n"
	typeTextLine   = "Content-Type: text/plain; charset=utf-8\r\n"
	continueAnswer = "HTTP/1.1 100 Continue\r\n\r\n"
)

// answerHead is all of an answer but its body.
type answerHead struct {
	status    int
	typeLine  string
	extra     string // further header lines
	close     bool
	keepAlive bool // says so, as HTTP/1.0 needs it
	old       bool // speaks HTTP/1.0
}

func appendAnswer(dst []byte, h answerHead, dateLine, body []byte, omitBody bool) []byte {
	switch {
	case h.status == http.StatusOK && !h.old:
		dst = append(dst, statusLineOK...)
	default:
		protocol := "HTTP/1.1 "
		if h.old {
			protocol = "HTTP/1.0 "
		}
		dst = append(dst, protocol...)
		dst = strconv.AppendInt(dst, int64(h.status), 10)
		dst = append(dst, ' ')
		dst = append(dst, http.StatusText(h.status)...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, dateLine...)
	dst = append(dst, h.typeLine...)
	dst = append(dst, h.extra...)
	switch {
	case h.close:
		dst = append(dst, "Connection: close\r\n"...)
	case h.keepAlive:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	if omitBody {
		return dst
	}
	return append(dst, body...)
}

// appendDateLine writes a Date field (RFC 9110 §6.6.1).
func appendDateLine(dst []byte, t time.Time) []byte {
	dst = append(dst, "Date: "...)
	dst = t.UTC().AppendFormat(dst, http.TimeFormat)
	return append(dst, "\r\n"...)
}

// appendUpdateAnswer writes a wire.UpdateAnswer. message must need no escaping in JSON.
func appendUpdateAnswer(dst []byte, success bool, message string, size int64, digest []byte) []byte {
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

// appendVersionAnswer writes a wire.VersionAnswer. version is a JSON string, quotes and all.
func appendVersionAnswer(dst []byte, i int, d *device, version string) []byte {
	dst = append(dst, `{"device_id":"`...)
	dst = AppendDeviceID(dst, i)
	dst = append(dst, `","version":`...)
	dst = append(dst, version...)
	dst = append(dst, `,"digest":"`...)
	if d.flags&flagUpdated != 0 {
		dst = hex.AppendEncode(dst, d.digest[:])
	}
	dst = append(dst, `","state":"`...)
	dst = append(dst, d.state()...)
	dst = append(dst, `","updated_at":"`...)
	dst = d.appendUpdatedAt(dst)
	return append(dst, `"}`...)
}

func (d *device) appendUpdatedAt(dst []byte) []byte {
	if d.flags&flagUpdated == 0 {
		return dst
	}
	return time.Unix(int64(d.updatedAt), 0).UTC().AppendFormat(dst, time.RFC3339)
}

// appendErrorAnswer writes {"error": message}. message must need no escaping in JSON.
func appendErrorAnswer(dst []byte, message string) []byte {
	dst = append(dst, `{"error":"`...)
	dst = append(dst, message...)
	return append(dst, `"}`...)
}

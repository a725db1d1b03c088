package mockfleet

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
)

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

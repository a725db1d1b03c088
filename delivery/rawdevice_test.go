package delivery

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// The answers of a device that runs the update of newUpdate(t, "2", "x").
const (
	goodPush    = `{"success":true}`
	goodVersion = `{"version":"2","state":"idle","digest":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}`
)

// jsonAnswer is a whole answer as it goes over the wire.
func jsonAnswer(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// good is the answer of a device that behaves.
func good(r *http.Request) string {
	if r.Method == http.MethodPost {
		return jsonAnswer("200 OK", goodPush)
	}
	return jsonAnswer("200 OK", goodVersion)
}

// bodyOf reads what came with a request.
func bodyOf(r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// scriptedDevice reads whole requests from bare sockets and answers request n of
// connection k (both from 1) with the text that the script gives; "" closes.
func scriptedDevice(t *testing.T, script func(k, n int, r *http.Request) string) Device {
	var conns atomic.Int32
	return rawDevice(t, func(c net.Conn) { serveScript(c, int(conns.Add(1)), script) })
}

// serveScript is connection k of a scripted device.
func serveScript(c net.Conn, k int, script func(k, n int, r *http.Request) string) {
	br := bufio.NewReader(c)
	for n := 1; ; n++ {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if s, ok := c.(*tls.Conn); ok {
			state := s.ConnectionState()
			r.TLS = &state
		}
		text := script(k, n, r)
		if text == "" {
			return
		}
		if _, err := io.WriteString(c, text); err != nil || strings.Contains(text, "Length: 99\r\n") {
			return // it promised more than it says
		}
	}
}

// secureDevice is a scripted device that speaks TLS.
func secureDevice(t *testing.T, cfg *tls.Config, script func(k, n int, r *http.Request) string) Device {
	var conns atomic.Int32
	d := rawDevice(t, func(c net.Conn) { serveScript(tls.Server(c, cfg), int(conns.Add(1)), script) })
	d.Address = "https" + strings.TrimPrefix(d.Address, "http")
	return d
}

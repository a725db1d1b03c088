// Package deliverytest has devices for the tests of delivery and its packages: bare sockets that
// answer by a script, and the answers of the device interface. It shares nothing with the client.
package deliverytest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The answers of a device that took an update of version 2 whose artifact is "x", of one that runs
// it, and of one that runs another.
const (
	GoodPush    = `{"success":true}`
	GoodVersion = `{"version":"2","state":"idle","digest":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}`
	OldVersion  = `{"version":"1","state":"idle","digest":"00"}`
)

// JSONAnswer returns a whole answer as it goes over the wire.
func JSONAnswer(status, body string) string {
	const form = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
	return fmt.Sprintf(form, status, len(body), body)
}

// Good returns the answer of a device that behaves.
func Good(r *http.Request) string {
	if r.Method == http.MethodPost {
		return JSONAnswer("200 OK", GoodPush)
	}
	return JSONAnswer("200 OK", GoodVersion)
}

// Listen serves each connection with a function, for answers that net/http won't give, until the
// test ends. It returns the address, such as http://127.0.0.1:4711.
func Listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { c.Close() })
			wg.Go(func() {
				defer stop()
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// Scripted reads whole requests from bare sockets and answers request n of connection k (both from
// 1) with the text that the script gives; "" closes the connection. It returns the address.
func Scripted(t testing.TB, script func(k, n int, r *http.Request) string) (address string) {
	t.Helper()
	var conns atomic.Int32
	return Listen(t, func(c net.Conn) { ServeScript(c, int(conns.Add(1)), script) })
}

// ServeScript serves connection k of a scripted device.
func ServeScript(c net.Conn, k int, script func(k, n int, r *http.Request) string) {
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
			return // the body is shorter than its Content-Length
		}
	}
}

// AlwaysZero always draws 0, so that no wait with full jitter takes any time.
type AlwaysZero struct{}

// Uint64 implements [math/rand/v2.Source].
func (AlwaysZero) Uint64() uint64 { return 0 }

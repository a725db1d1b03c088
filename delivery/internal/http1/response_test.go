package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// FuzzResponse checks that this package and net/http agree on every response that both accept.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush), "HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nx", "\r\nHTTP/1.1 200 OK\n\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 B\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 307 A\r\nLocation: /a\r\nlocation: /b\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 200 \nLoCAtion:\nloCAtion:0\n\n",
	} {
		f.Add([]byte(s))
	}
	limits := Limits{4 << 10, 64 << 10}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Response
		rest := bufio.NewReader(bytes.NewReader(b))
		if err := a.Read(rest, limits); err != nil {
			return
		}
		if a.Status < 100 || a.Status > 599 || len(a.Body) > limits.Body || len(a.head) > limits.Head {
			t.Fatalf("%q: status %d, %d bytes", b, a.Status, len(a.Body))
		}
		// net/http must accept the canonical form of the response, and read the same from it.
		text := a.AppendCanonical(nil)
		br := bufio.NewReader(bytes.NewReader(text))
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%q from %q: %v", text, b, err)
		}
		body, err := io.ReadAll(r.Body)
		first := func(name string) string {
			if all := r.Header[name]; len(all) > 0 {
				return all[0]
			}
			return ""
		}
		if a.Status != http.StatusSwitchingProtocols { // then the rest isn't a body
			if err != nil || br.Buffered() != 0 || string(body) != string(a.Body) || r.Close != a.Close {
				t.Fatalf("%q from %q: body %q, want %q, close %v, %d bytes more, %v", text, b, body, a.Body, r.Close,
					br.Buffered(), err)
			}
		}
		got := []string{r.Status[:3], first("Content-Type"), first("Content-Encoding"), first("Location"), first("Date")}
		want := []string{fmt.Sprint(a.Status), string(a.ContentType), string(a.ContentEncoding), string(a.Location),
			string(a.Date)}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q from %q: %q, want %q", text, b, got, want)
		}
		// net/http must also agree on the device's own bytes, if it accepts them.
		if r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)),
			nil); err == nil && r.StatusCode == a.Status && len(r.TransferEncoding) == 0 && r.ProtoAtLeast(1, 1) {
			if body, err := io.ReadAll(r.Body); err == nil && string(body) != string(a.Body) {
				t.Fatalf("%q: body %q, net/http has %q", b, a.Body, body)
			}
		}
	})
}

package delivery

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// rawDevice serves each connection with a function, for answers that net/http won't give.
func rawDevice(t testing.TB, serve func(net.Conn)) Device {
	t.Helper()
	return Device{Address: deliverytest.Listen(t, serve)}
}

// scriptedDevice answers request n of connection k (both from 1) with the text that the script
// returns; "" closes the connection.
func scriptedDevice(t testing.TB, script func(k, n int, r *http.Request) string) Device {
	t.Helper()
	return Device{Address: deliverytest.Scripted(t, script)}
}

// bodyOf reads the body of a request.
func bodyOf(r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// secureDevice is a scripted device that speaks TLS.
func secureDevice(t *testing.T, cfg *tls.Config, script func(k, n int, r *http.Request) string) Device {
	var conns atomic.Int32
	d := rawDevice(t, func(c net.Conn) { deliverytest.ServeScript(tls.Server(c, cfg), int(conns.Add(1)), script) })
	d.Address = "https" + strings.TrimPrefix(d.Address, "http")
	return d
}

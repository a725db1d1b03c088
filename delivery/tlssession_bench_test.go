//go:build unix

package delivery

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// BenchmarkReconnectTLS is a verification over a new TLS connection, with and without the session
// of the previous one. cpu-ns/op is the processor time of client and device.
func BenchmarkReconnectTLS(b *testing.B) {
	a := newAuthority(b)
	cert := a.issueTo("sn-1")
	for _, row := range []struct {
		name     string
		sessions int
	}{{"resumed", 0}, {"whole", -1}} {
		b.Run(row.name, func(b *testing.B) {
			server := &tls.Config{Certificates: []tls.Certificate{cert}}
			d := rawDevice(b, func(c net.Conn) {
				s := tls.Server(c, server)
				r, err := http.ReadRequest(bufio.NewReader(s))
				if err != nil {
					return
				}
				_ = bodyOf(r)
				_, _ = io.WriteString(s, deliverytest.JSONAnswer("200 OK", deliverytest.GoodVersion))
				_ = s.Close()
			})
			d.Address = "https" + d.Address[len("http"):]
			c := newClient(b, Config{TLS: &tls.Config{RootCAs: a.pool(), ServerName: "sn-1"}, TLSSessions: row.sessions})
			u := newUpdate(b, "2", []byte("x"))
			require.NoError(b, c.Verify(b.Context(), d, u))
			before := osinfo.ProcessorTime()
			for b.Loop() {
				if err := c.Verify(b.Context(), d, u); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(osinfo.ProcessorTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

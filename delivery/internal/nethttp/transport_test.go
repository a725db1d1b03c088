package nethttp

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// TestRequestsKeptAfterABurst checks that no more pooled requests are kept than idle connections.
func TestRequestsKeptAfterABurst(t *testing.T) {
	const burst = 5
	var all sync.WaitGroup // holds the answers until every request is there
	all.Add(burst)
	address := deliverytest.Scripted(t, func(_, n int, r *http.Request) string {
		if n == 1 {
			all.Done()
			all.Wait()
		}
		return deliverytest.Good(r)
	})
	to, err := endpoint.Parse(address)
	require.NoError(t, err)
	var stats exchange.Counters
	tr := newTransport(Config{Config: exchange.Config{
		Limits: exchange.Limits{
			Dial: 5 * time.Second, Response: 10 * time.Second,
			MinThroughput:   exchange.MinThroughput{BytesPerSecond: 1, Window: time.Minute},
			MaxResponseHead: 4 << 10, MaxResponseBody: 4 << 10,
		},
		Header: exchange.NewCommonHeader(nil), TLS: &tls.Config{}, Dial: (&net.Dialer{}).DialContext,
		MaxIdle: 2, MaxIdlePerDevice: 2, IdleTimeout: time.Minute,
	}}, &stats)
	defer tr.Close()
	var requests sync.WaitGroup
	for range burst {
		requests.Go(func() {
			x := exchange.Exchange{Request: exchange.Request{To: to, Method: http.MethodGet, Path: "/version"}}
			if f := tr.RoundTrip(t.Context(), &x); f != nil {
				t.Error(f)
			} else if x.Response.Status != http.StatusOK || string(x.Response.Body) != deliverytest.GoodVersion {
				t.Errorf("status %d, body %q", x.Response.Status, x.Response.Body)
			}
		})
	}
	requests.Wait()
	require.EqualValues(t, burst, stats.Dials.Load())
	tr.requests.mu.Lock()
	defer tr.requests.mu.Unlock()
	require.LessOrEqual(t, len(tr.requests.free), 2)
}

package delivery

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// seen records the requests of a scripted device.
type seen struct {
	mu       sync.Mutex
	requests []string
}

func (s *seen) add(format string, args ...any) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, fmt.Sprintf(format, args...))
	return len(s.requests)
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// TestRedirects checks that a redirect that keeps method and body is followed within the origin, at
// most three times. Any other redirect is refused, and nothing is sent to where it leads.
func TestRedirects(t *testing.T) {
	for name, row := range map[string]struct {
		status   int
		location string // SELF is the device's own address
		times    int
		want     Class
		is       error
		requests []string // of the push
	}{
		"307":           {307, "/here", 1, ClassUnknown, nil, []string{"POST /d/7/update x", "POST /here x"}},
		"308, absolute": {308, "SELF/there", 1, ClassUnknown, nil, []string{"POST /d/7/update x", "POST /there x"}},
		"relative": {307, "v2/update", 1, ClassUnknown, nil,
			[]string{"POST /d/7/update x", "POST /d/7/v2/update x"}},
		"no scheme": {307, "//HOST/here", 1, ClassUnknown, nil, []string{"POST /d/7/update x", "POST /here x"}},
		"query and escapes": {307, "/a%20b/?t=1%2F2#part", 1, ClassUnknown, nil,
			[]string{"POST /d/7/update x", "POST /a%20b/?t=1%2F2 x"}},
		"three": {307, "/here", 3, ClassUnknown, nil,
			[]string{"POST /d/7/update x", "POST /here x", "POST /here x", "POST /here x"}},
		"loop": {307, "/here", 9, ClassPermanent, errManyRedirects,
			[]string{"POST /d/7/update x", "POST /here x", "POST /here x", "POST /here x"}},
		"other host": {307, "http://elsewhere.example/update", 1, ClassPermanent, exchange.ErrOtherOrigin,
			[]string{"POST /d/7/update x"}},
		"other port": {308, "http://127.0.0.1:1/update", 1, ClassPermanent, exchange.ErrOtherOrigin,
			[]string{"POST /d/7/update x"}},
		"other scheme": {307, "https://HOST/update", 1, ClassPermanent, exchange.ErrOtherOrigin,
			[]string{"POST /d/7/update x"}},
		"a user": {307, "http://me@HOST/update", 1, ClassPermanent, exchange.ErrOtherOrigin,
			[]string{"POST /d/7/update x"}},
		"no location":    {307, "", 1, ClassPermanent, exchange.ErrLocation, []string{"POST /d/7/update x"}},
		"not an address": {307, "http://[", 1, ClassPermanent, exchange.ErrLocation, []string{"POST /d/7/update x"}},
		"opaque":         {307, "mailto:a", 1, ClassPermanent, exchange.ErrLocation, []string{"POST /d/7/update x"}},
		"beyond ASCII":   {307, "/?\xe9", 1, ClassPermanent, exchange.ErrLocation, []string{"POST /d/7/update x"}},
		"endless": {307, "/" + strings.Repeat("x", endpoint.MaxAddress), 1, ClassPermanent, exchange.ErrLocation,
			[]string{"POST /d/7/update x"}},
		"301 drops the body": {301, "/here", 1, ClassPermanent, errMethodLost, []string{"POST /d/7/update x"}},
		"302 drops the body": {302, "/here", 1, ClassPermanent, errMethodLost, []string{"POST /d/7/update x"}},
		"303 drops the body": {303, "/here", 1, ClassPermanent, errMethodLost, []string{"POST /d/7/update x"}},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var asked seen
				dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
					if n := asked.add("%s %s %s", r.Method, r.RequestURI, bodyOf(r)); n > row.times {
						return deliverytest.Good(r)
					}
					location := strings.ReplaceAll(strings.ReplaceAll(row.location, "SELF", "http://"+r.Host), "HOST", r.Host)
					return fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", row.status, location)
				})
				dev.Address += "/d/7"
				cfg.Header = http.Header{"Authorization": {"Bearer s3cret"}}
				err := newClient(t, cfg).Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				if row.is != nil {
					require.ErrorIs(t, err, row.is)
					e, _ := errors.AsType[*Error](err)
					require.Equal(t, row.status, e.Status)
					require.Equal(t, fmt.Sprintf("push %s: permanent: status %d: redirect refused: %v", dev.Address, row.status,
						row.is), err.Error(), "over either transport")
					require.Less(t, len(err.Error()), 400)
				}
				require.Equal(t, row.requests, asked.all())
			})
		})
	}
}

// TestRedirectedVerify checks that a verification may be redirected as well.
func TestRedirectedVerify(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var asked seen
		dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
			if asked.add("%s %s", r.Method, r.RequestURI) == 1 {
				return "HTTP/1.1 308 Moved\r\nlocation: /v2/version\r\nContent-Length: 0\r\n\r\n"
			}
			return deliverytest.Good(r)
		})
		require.NoError(t, newClient(t, cfg).Verify(t.Context(), dev, newUpdate(t, "2", []byte("x"))))
		require.Equal(t, []string{"GET /version", "GET /v2/version"}, asked.all())
	})
}

// TestCloseBetweenTwoRequests checks that a redirect isn't followed after Close.
func TestCloseBetweenTwoRequests(t *testing.T) {
	var asked seen
	c := newClient(t, Config{})
	dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
		asked.add("%s", r.RequestURI)
		c.Close()
		return "HTTP/1.1 307 Moved\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n"
	})
	err := c.Push(t.Context(), dev, newUpdate(t, "2", []byte("x")))
	require.ErrorIs(t, err, ErrClosed)
	require.Equal(t, ClassPermanent, ClassOf(err))
	require.Equal(t, []string{"/update"}, asked.all())
}

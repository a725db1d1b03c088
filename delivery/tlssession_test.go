package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// resumptions records whether each connection of a device was resumed.
type resumptions struct {
	mu  sync.Mutex
	all []bool
}

// closing answers a request, closes the connection, and records whether its session was resumed.
func (s *resumptions) closing(_, n int, r *http.Request) string {
	if n > 1 {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r.TLS.DidResume)
	return strings.Replace(deliverytest.Good(r), "\r\n", "\r\nConnection: close\r\n", 1)
}

func (s *resumptions) take() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// TestTLSSessions has a device that closes after each answer. By default its session is resumed,
// but only by the same client, with the same server name and the same certificate.
func TestTLSSessions(t *testing.T) {
	a := newAuthority(t)
	one, two := a.issueTo("client-1"), a.issueTo("client-2")
	named := func(s string) Credentials { return Credentials{ServerName: s} }
	certified := func(c tls.Certificate) Credentials {
		return Credentials{ServerName: "sn-1", Certificates: []tls.Certificate{c}}
	}
	for name, row := range map[string]struct {
		sessions int
		tls      func(*tls.Config)
		by       []Credentials // of each push in turn
		want     []bool
	}{
		"by default": {0, nil, []Credentials{{}, {}, {}}, []bool{false, true, true}},
		"turned off": {-1, nil, []Credentials{{}, {}}, []bool{false, false}},
		"TLS 1.2": {0, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, []Credentials{{}, {}},
			[]bool{false, true}},
		"the caller's own cache": {-1, func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(1) },
			[]Credentials{{}, {}}, []bool{false, true}},
		"tickets turned off": {0, func(c *tls.Config) { c.SessionTicketsDisabled = true }, []Credentials{{}, {}},
			[]bool{false, false}},
		"verified by a function that isn't called again": {0, func(c *tls.Config) {
			c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return nil }
		}, []Credentials{{}, {}}, []bool{false, false}},
		"bounded": {2, nil, []Credentials{named("sn-1"), named("sn-2"), named("sn-3"), named("sn-3"),
			named("sn-1")}, []bool{false, false, false, true, false}},
		"other names": {0, nil, []Credentials{named("sn-1"), named("sn-2"), {}, named("sn-1"), named("sn-2"), {}},
			[]bool{false, false, false, true, true, true}},
		"other certificates": {0, nil, []Credentials{certified(one), certified(two), named("sn-1"), certified(one),
			certified(two)}, []bool{false, false, false, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var seen resumptions
				server := a.issueTo("sn-1", "sn-2", "sn-3", "sn-0")
				dev := secureDevice(t, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert},
					seen.closing)
				cfg.TLS = &tls.Config{RootCAs: a.pool(), ServerName: "sn-0"}
				if row.tls != nil {
					row.tls(cfg.TLS)
				}
				cfg.TLSSessions = row.sessions
				by := map[string]Credentials{}
				cfg.ForDevice = forEach(by)
				c := newClient(t, cfg)
				for _, credentials := range row.by {
					by[""] = credentials
					require.NoError(t, c.Push(t.Context(), dev, newUpdate(t, "2", []byte("x"))))
				}
				require.Equal(t, row.want, seen.take())
			})
		})
	}
	require.ErrorContains(t, Config{TLSSessions: -2}.Validate(), "tls sessions -2: want -1 (none)")
}

// TestTLSSessionsAreVerified checks that the caller's own verification also runs for a resumed
// session, and that its refusal counts.
func TestTLSSessionsAreVerified(t *testing.T) {
	a := newAuthority(t)
	overBoth(t, func(t *testing.T, cfg Config) {
		var seen resumptions
		dev := secureDevice(t, &tls.Config{Certificates: []tls.Certificate{a.issueTo("sn-1")}}, seen.closing)
		var asked []bool
		cfg.TLS = &tls.Config{RootCAs: a.pool(), ServerName: "sn-1", VerifyConnection: func(s tls.ConnectionState) error {
			asked = append(asked, s.DidResume)
			if len(asked) > 2 {
				return errors.New("tls: revoked")
			}
			return nil
		}}
		c := newClient(t, cfg)
		u := newUpdate(t, "2", []byte("x"))
		require.NoError(t, c.Push(t.Context(), dev, u))
		require.NoError(t, c.Push(t.Context(), dev, u))
		err := c.Push(t.Context(), dev, u)
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorContains(t, err, "revoked")
		require.Equal(t, []bool{false, true, true, false}, asked)
		require.Equal(t, []bool{false, true}, seen.take())
	})
}

// TestTLSSessionsOfAnAddress checks that devices with the same server name don't share sessions.
func TestTLSSessionsOfAnAddress(t *testing.T) {
	a := newAuthority(t)
	var one, two resumptions
	server := &tls.Config{Certificates: []tls.Certificate{a.issueTo("device.local")}}
	first, second := secureDevice(t, server.Clone(), one.closing), secureDevice(t, server.Clone(), two.closing)
	c := newClient(t, Config{TLS: &tls.Config{RootCAs: a.pool(), ServerName: "device.local"}})
	for range 2 {
		for _, d := range []Device{first, second} {
			require.NoError(t, c.Push(t.Context(), d, newUpdate(t, "2", []byte("x"))))
		}
	}
	require.Equal(t, []bool{false, true}, one.take())
	require.Equal(t, []bool{false, true}, two.take())
}

// TestTLSSessionThatIsRefused has a device whose TLS breaks off if a session is offered. It is
// updated all the same, with one push.
func TestTLSSessionThatIsRefused(t *testing.T) {
	const preSharedKey = 41 // RFC 8446 §4.2
	a := newAuthority(t)
	overBoth(t, func(t *testing.T, cfg Config) {
		var seen resumptions
		var refused atomic.Int32
		dev := secureDevice(t, &tls.Config{
			Certificates: []tls.Certificate{a.issueTo("sn-1")},
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if slices.Contains(hello.Extensions, preSharedKey) {
					refused.Add(1)
					return nil, errors.New("what is that?")
				}
				return nil, nil
			},
		}, seen.closing)
		cfg.TLS = &tls.Config{RootCAs: a.pool(), ServerName: "sn-1"}
		c := newClient(t, cfg)
		for range 2 {
			report, err := c.Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
			require.NoError(t, err)
			require.Equal(t, 1, report.Pushes)
			require.Equal(t, 1, report.Verifies)
		}
		require.Equal(t, []bool{false, false, false, false}, seen.take())
		require.Positive(t, refused.Load(), "the device was never offered one")
	})
}

package delivery

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// issueTo issues a certificate for names that are not addresses.
func (a *authority) issueTo(names ...string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// forEach returns a Config.ForDevice that looks up credentials by the device's ID.
func forEach(by map[string]Credentials) func(context.Context, Device) (Credentials, error) {
	return func(_ context.Context, d Device) (Credentials, error) { return by[d.ID], nil }
}

// TestCredentialsServerName has a device at an address that DHCP assigned, whose certificate is
// issued to its serial number.
func TestCredentialsServerName(t *testing.T) {
	a := newAuthority(t)
	overBoth(t, func(t *testing.T, cfg Config) {
		var requests atomic.Int32
		var asked atomic.Value
		dev := secureDevice(t, &tls.Config{Certificates: []tls.Certificate{a.issueTo("sn-4711")}},
			func(_, _ int, r *http.Request) string {
				requests.Add(1)
				asked.Store(r.TLS.ServerName)
				return deliverytest.Good(r)
			})
		cfg.TLS = &tls.Config{RootCAs: a.pool()}
		u := newUpdate(t, "2", []byte("x"))
		for _, row := range []struct {
			name string
			want Class
		}{{"", ClassPermanent}, {"sn-4712", ClassPermanent}, {"sn-4711", ClassUnknown}} {
			cfg.ForDevice = forEach(map[string]Credentials{"": {ServerName: row.name}})
			before := requests.Load()
			_, err := newClient(t, cfg).Deliver(t.Context(), dev, u)
			require.Equal(t, row.want, ClassOf(err), "%q: %v", row.name, err)
			if row.want == ClassUnknown {
				require.Equal(t, "sn-4711", asked.Load())
			} else {
				require.Equal(t, before, requests.Load(), "nothing of the request goes to another device")
				require.ErrorContains(t, err, "certificate")
			}
		}
	})
}

// TestCredentialsHeader checks that a device's own values replace the ones for all devices, and
// that no other device gets them.
func TestCredentialsHeader(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var got seen
		device := func(id string) Device {
			d := scriptedDevice(t, func(_, _ int, r *http.Request) string {
				got.add("%s: %s %q %q", id, r.Method, r.Header["Authorization"], r.Header["X-Site"])
				return deliverytest.Good(r)
			})
			return d
		}
		one, two, three := device("one"), device("two"), device("three")
		cfg.Header = http.Header{"Authorization": {"Bearer of-all"}, "X-Site": {"north"}}
		cfg.ForDevice = func(_ context.Context, d Device) (Credentials, error) {
			switch d.Address {
			case one.Address:
				return Credentials{Header: http.Header{"authorization": {"Bearer of-one"}}}, nil
			case two.Address:
				return Credentials{Header: http.Header{"X-Site": {"a", "b"}}}, nil
			}
			return Credentials{}, nil
		}
		c := newClient(t, cfg)
		for _, d := range []Device{one, two, three} {
			_, err := c.Deliver(t.Context(), d, newUpdate(t, "2", []byte("x")))
			require.NoError(t, err)
		}
		require.Equal(t, []string{
			`one: POST ["Bearer of-one"] ["north"]`, `one: GET ["Bearer of-one"] ["north"]`,
			`two: POST ["Bearer of-all"] ["a" "b"]`, `two: GET ["Bearer of-all"] ["a" "b"]`,
			`three: POST ["Bearer of-all"] ["north"]`, `three: GET ["Bearer of-all"] ["north"]`,
		}, got.all())
	})
}

// TestCredentialsShareNoConnection has two devices behind one address take turns. It checks that
// each connection serves one device only and is kept, and that devices with equal credentials share
// one connection.
func TestCredentialsShareNoConnection(t *testing.T) {
	a := newAuthority(t)
	server, one, two := a.issueTo("sn-1", "sn-2"), a.issueTo("client-1"), a.issueTo("client-2")
	token := func(s string) Credentials {
		return Credentials{Header: http.Header{"Authorization": {s}}, ServerName: "sn-1"}
	}
	for name, row := range map[string]struct {
		a, b   Credentials
		conns  int
		secure bool
	}{
		"tokens":           {token("Bearer one"), token("Bearer two"), 2, false},
		"tokens over TLS":  {token("Bearer one"), token("Bearer two"), 2, true},
		"a token and none": {token("Bearer one"), Credentials{}, 2, false},
		"server names":     {Credentials{ServerName: "sn-1"}, Credentials{ServerName: "sn-2"}, 2, true},
		"certificates": {Credentials{ServerName: "sn-1", Certificates: []tls.Certificate{one}},
			Credentials{ServerName: "sn-1", Certificates: []tls.Certificate{two}}, 2, true},
		"authorities": {Credentials{ServerName: "sn-1", RootCAs: a.pool()}, Credentials{ServerName: "sn-1"}, 2, true},
		"equal":       {token("Bearer one"), token("Bearer one"), 1, true},
		"equal certificates": {Credentials{ServerName: "sn-1", Certificates: []tls.Certificate{one}, RootCAs: a.pool()},
			Credentials{ServerName: "sn-1", Certificates: []tls.Certificate{one}, RootCAs: a.pool()}, 1, true},
		"nothing": {Credentials{}, Credentials{}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var mu sync.Mutex
				byConn := map[int]map[string]bool{}
				script := func(k, _ int, r *http.Request) string {
					who := fmt.Sprint(r.Header["Authorization"])
					if r.TLS != nil {
						who += r.TLS.ServerName
						for _, c := range r.TLS.PeerCertificates {
							who += c.Subject.CommonName
						}
					}
					mu.Lock()
					defer mu.Unlock()
					if byConn[k] == nil {
						byConn[k] = map[string]bool{}
					}
					byConn[k][who] = true
					return deliverytest.Good(r)
				}
				var dev Device
				if row.secure {
					dev = secureDevice(t, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert},
						script)
				} else {
					dev = scriptedDevice(t, script)
				}
				cfg.TLS = &tls.Config{RootCAs: a.pool()}
				cfg.ForDevice = forEach(map[string]Credentials{"a": row.a, "b": row.b})
				c := newClient(t, cfg)
				u := newUpdate(t, "2", []byte("x"))
				for range 3 {
					for _, id := range []string{"a", "b"} {
						require.NoError(t, c.Push(t.Context(), Device{ID: id, Address: dev.Address}, u))
					}
				}
				mu.Lock()
				defer mu.Unlock()
				require.Len(t, byConn, row.conns)
				for _, who := range byConn {
					require.Len(t, who, 1, "two senders on one connection: %v", byConn)
				}
			})
		})
	}
}

// TestCredentialsMayChange checks that a renewed token is used from the next request on.
func TestCredentialsMayChange(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var got seen
		dev := scriptedDevice(t, func(k, _ int, r *http.Request) string {
			got.add("%d %s", k, r.Header.Get("Authorization"))
			return deliverytest.Good(r)
		})
		var calls atomic.Int32
		cfg.ForDevice = func(context.Context, Device) (Credentials, error) {
			return Credentials{Header: http.Header{"Authorization": {fmt.Sprintf("Bearer token-%d", (calls.Add(1)+1)/2)}}}, nil
		}
		c := newClient(t, cfg)
		for range 2 {
			_, err := c.Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
			require.NoError(t, err)
		}
		require.Equal(t, []string{"1 Bearer token-1", "1 Bearer token-1", "2 Bearer token-2", "2 Bearer token-2"}, got.all())
	})
}

// TestCredentialsIdleConnections checks that the number of idle connections is bounded over all
// devices, and that Close closes them.
func TestCredentialsIdleConnections(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		var open atomic.Int32
		changed := make(chan struct{}, 1<<10)
		note := func(n int32) {
			open.Add(n)
			changed <- struct{}{}
		}
		dev := rawDevice(t, func(c net.Conn) {
			note(1)
			defer note(-1)
			deliverytest.ServeScript(c, 1, func(_, _ int, r *http.Request) string { return deliverytest.Good(r) })
		})
		wait := func(most int32) {
			for open.Load() > most {
				select {
				case <-changed:
				case <-time.After(10 * time.Second):
					t.Fatalf("%d connections are open, want %d", open.Load(), most)
				}
			}
		}
		cfg.MaxIdle = 4
		cfg.ForDevice = func(_ context.Context, d Device) (Credentials, error) {
			return Credentials{Header: http.Header{"Authorization": {"Bearer " + d.ID}}}, nil
		}
		c := newClient(t, cfg)
		u := newUpdate(t, "2", []byte("x"))
		for i := range 40 {
			require.NoError(t, c.Push(t.Context(), Device{ID: fmt.Sprintf("till-%d", i), Address: dev.Address}, u))
		}
		wait(4)
		before := c.Stats().Dials
		require.NoError(t, c.Push(t.Context(), Device{ID: "till-39", Address: dev.Address}, u))
		require.Equal(t, before, c.Stats().Dials, "the last one's is kept")
		c.Close()
		wait(0)
		require.ErrorIs(t, c.Push(t.Context(), dev, u), ErrClosed)
	})
}

// TestCredentialsAreForgotten checks that the number of prepared credentials is bounded.
func TestCredentialsAreForgotten(t *testing.T) {
	cfg := Config{ForDevice: func(_ context.Context, d Device) (Credentials, error) {
		return Credentials{ServerName: d.ID}, nil
	}}
	known := newIdentities(cfg.withDefaults())
	first, err := known.of(t.Context(), Device{ID: "till"})
	require.NoError(t, err)
	for i := range maxIdentities + 10 {
		_, err := known.of(t.Context(), Device{ID: fmt.Sprintf("till-%d", i)})
		require.NoError(t, err)
	}
	require.Len(t, known.byKey, maxIdentities)
	require.Equal(t, maxIdentities, known.recent.Len())
	again, err := known.of(t.Context(), Device{ID: "till"})
	require.NoError(t, err)
	require.NotSame(t, first, again)
	same, err := known.of(t.Context(), Device{ID: "till"})
	require.NoError(t, err)
	require.Same(t, again, same)
}

// TestCredentialsThatCannotBeUsed checks that nothing is sent, and that the error names what is
// wrong without showing a value.
func TestCredentialsThatCannotBeUsed(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
			t.Error("a request was sent")
			return deliverytest.Good(r)
		})
		gone := errors.New("the vault is sealed")
		for want, given := range map[string]Credentials{
			"header Authorization: value (not shown)":       {Header: http.Header{"Authorization": {"Bearer s3cret\r\nX: y"}}},
			"header name \"A B\": want an HTTP token":       {Header: http.Header{"A B": {"s3cret"}}},
			"header Content-Length is set by the client":    {Header: http.Header{"content-length": {"7"}}},
			"server name \"sn\\n\": want at most 253 bytes": {ServerName: "sn\n"},
			"certificate 1: want one with its private key":  {Certificates: []tls.Certificate{{}}},
			"the vault is sealed":                           {},
		} {
			cfg.ForDevice = func(context.Context, Device) (Credentials, error) {
				if given.isZero() {
					return given, gone
				}
				return given, nil
			}
			report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "credentials for the device")
			require.Equal(t, ClassPermanent, ClassOf(err))
			require.Equal(t, 1, report.Pushes)
			require.NotContains(t, err.Error(), "s3cret")
			if given.isZero() {
				require.ErrorIs(t, err, gone)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cfg.ForDevice = func(ctx context.Context, _ Device) (Credentials, error) {
			cancel()
			return Credentials{}, ctx.Err()
		}
		_, err := newClient(t, cfg).Deliver(ctx, dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassCanceled, ClassOf(err), "%v", err)
	})
}

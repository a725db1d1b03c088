package delivery

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority issues certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{t, cert, key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue issues a certificate for an address, valid until a time.
func (a *authority) issue(ip string, until time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "till-17"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS checks which devices are trusted, over both transports. A device that isn't trusted
// receives nothing of the request, and isn't tried again.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	good := ours.issue("127.0.0.1", soon)
	for name, row := range map[string]struct {
		device *tls.Config
		client *tls.Config
		aloud  bool
		want   Class
		says   string
	}{
		"pinned authority": {&tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: ours.pool()},
			false, ClassUnknown, ""},
		"unknown authority": {&tls.Config{Certificates: []tls.Certificate{theirs.issue("127.0.0.1", soon)}},
			&tls.Config{RootCAs: ours.pool()}, false, ClassPermanent, "unknown authority"},
		"the system's don't do": {&tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{}, false, ClassPermanent,
			"unknown authority"},
		"expired": {&tls.Config{Certificates: []tls.Certificate{ours.issue("127.0.0.1", past)}},
			&tls.Config{RootCAs: ours.pool()}, false, ClassPermanent, "expired"},
		"another's name": {&tls.Config{Certificates: []tls.Certificate{ours.issue("127.0.0.2", soon)}},
			&tls.Config{RootCAs: ours.pool()}, false, ClassPermanent, "127.0.0.2"},
		"TLS 1.1": {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10,
			MaxVersion: tls.VersionTLS11}, &tls.Config{RootCAs: ours.pool(), MinVersion: tls.VersionTLS10}, false,
			ClassPermanent, "version"},
		"TLS 1.2": {&tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12},
			&tls.Config{RootCAs: ours.pool()}, false, ClassUnknown, ""},
		"mTLS": {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs: ours.pool()}, &tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{good}}, false,
			ClassUnknown, ""},
		"mTLS, TLS 1.2, no certificate": {&tls.Config{Certificates: []tls.Certificate{good},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool(), MaxVersion: tls.VersionTLS12},
			&tls.Config{RootCAs: ours.pool()}, false, ClassPermanent, "handshake failure"},
		"mTLS, TLS 1.3, no certificate": {&tls.Config{Certificates: []tls.Certificate{good},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool()},
			&tls.Config{RootCAs: ours.pool()}, false, ClassPermanent, "certificate required"},
		"skipped, aloud": {&tls.Config{Certificates: []tls.Certificate{theirs.issue("127.0.0.2", past)}},
			&tls.Config{}, true, ClassUnknown, ""},
		"verified by oneself": {&tls.Config{Certificates: []tls.Certificate{good}},
			&tls.Config{InsecureSkipVerify: true,
				VerifyConnection: func(tls.ConnectionState) error { return errors.New("tls: not my device") }}, false,
			ClassPermanent, "not my device"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				dev := newTestDevice(t)
				s := httptest.NewUnstartedServer(dev.handler())
				s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
				s.TLS = row.device.Clone()
				s.StartTLS()
				t.Cleanup(s.Close)
				cfg.TLS, cfg.InsecureSkipVerify = row.client.Clone(), row.aloud
				cfg.Header = http.Header{"Authorization": {"Bearer s3cret"}}
				report, err := newClient(t, cfg).Deliver(t.Context(), Device{ID: "till-17", Address: s.URL},
					newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				require.Equal(t, 1, report.Pushes)
				pushes, _, _ := dev.counts()
				if row.want == ClassUnknown {
					require.Equal(t, 1, pushes)
				} else {
					require.Zero(t, pushes, "nothing of the request went to a device that isn't trusted")
					require.ErrorContains(t, err, row.says)
				}
			})
		})
	}
}

func TestSkippingVerificationNeedsTheExplicitOption(t *testing.T) {
	_, err := New(Config{TLS: &tls.Config{InsecureSkipVerify: true}})
	require.ErrorContains(t, err, "want Config.InsecureSkipVerify too")
	cfg := Config{InsecureSkipVerify: true}
	require.Contains(t, cfg.String(), "INSECURE")
	require.True(t, cfg.withDefaults().TLS.InsecureSkipVerify)
	require.NotContains(t, Config{}.String(), "INSECURE")
}

// TestNothingShowsASecret checks every verb of fmt, and values at any depth.
func TestNothingShowsASecret(t *testing.T) {
	cfg := Config{Header: http.Header{"Authorization": {"Bearer s3cret"}}, TLS: &tls.Config{ServerName: "s3cret"}}
	device := Device{ID: "till-17", Address: "http://admin:s3cret@10.0.0.1/?token=s3cret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v", "%t"} {
		for _, v := range []any{cfg, &cfg, struct{ C Config }{cfg}, []Config{cfg}, device, &device,
			struct{ D Device }{device}, map[string]Device{"a": device}} {
			shown := fmt.Sprintf(verb, v)
			require.NotContains(t, shown, "s3cret", verb)
			require.NotContains(t, shown, fmt.Sprintf("%x", "s3cret"), verb)
		}
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("made", "config", cfg, "device", device)
	}
	require.NotContains(t, log.String(), "s3cret")
	require.Equal(t, "till-17 at http://10.0.0.1:80", Device{ID: "till-17", Address: "http://10.0.0.1:80"}.String())
	require.Equal(t, "http://10.0.0.1:80", fmt.Sprint(Device{Address: "http://10.0.0.1:80"}))
}

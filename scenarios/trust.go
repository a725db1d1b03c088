package scenarios

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// authorities is what a client needs that is to trust the authorities in text, in PEM, and no others; nil where
// it holds none.
func authorities(text []byte) *tls.Config {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil
	}
	return &tls.Config{RootCAs: roots}
}

// trust gives whom the client trusts by client.ca; nil is nobody in particular.
func (s ClientSpec) trust() (*tls.Config, error) {
	if s.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, usage(pathError(err), "client.ca %s", s.CA)
	}
	trusted := authorities(plaintext.Decode(text))
	if trusted == nil {
		return nil, &UsageError{What: "client.ca " + s.CA + ": want certificates in PEM, such as the ca of a fleet's first line"}
	}
	return trusted, nil
}

// clientConfig is the client's configuration for this run's devices.
func (r *runner) clientConfig() delivery.Config {
	cfg := r.spec.Client.config()
	cfg.TLS, cfg.Header = r.tls, r.header
	return cfg
}

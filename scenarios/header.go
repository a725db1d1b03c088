package scenarios

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// Header is a header field that the client sends. Its value stands in the scenario, or, where it is
// a secret, in an environment variable that the scenario names: then it is written nowhere.
type Header struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value,omitempty" json:"value,omitempty"`
	Env   string `yaml:"env,omitempty" json:"env,omitempty"` // the variable that holds the value
}

const headersField = "client.headers"

// secretive are words in the names of fields whose values are secrets.
func secretive(name string) bool {
	name = strings.ToLower(name)
	words := []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature", "credential"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

// maxHeaders bounds the fields, as package delivery does.
const maxHeaders = 64

// checkHeaders reports headers that can't be sent, and secrets in a file.
func (s ClientSpec) checkHeaders(bad func(field, format string, args ...any)) {
	if n := len(s.Headers); n > maxHeaders {
		bad(headersField, "%d of them: want %d at most", n, maxHeaders)
	}
	for i, h := range s.Headers {
		field := indexed(headersField, i)
		switch {
		case h.Name == "":
			bad(field+".name", "is empty: want a field's name, such as X-Tenant")
			continue
		case h.Value == "" && h.Env == "", h.Value != "" && h.Env != "":
			bad(field, "%s: want either a value, or the name of an environment variable that holds it", h.Name)
		case h.Value != "" && secretive(h.Name):
			bad(field+".value", "(not shown): %s is a secret: want env: VARIABLE instead, so that it is written nowhere", h.Name)
		}
		alone := delivery.Config{Header: http.Header{h.Name: {h.Value}}}
		for _, e := range SplitErrors(alone.Validate()) {
			bad(field, "%s", strings.TrimPrefix(yamlnode.OneLine(e.Error()), "delivery: "))
		}
	}
}

// header is what the client sends. The environment is asked for values that aren't in
// the scenario; one that it lacks is a *UsageError.
func (s ClientSpec) header() (http.Header, error) {
	if len(s.Headers) == 0 {
		return nil, nil
	}
	h := make(http.Header, len(s.Headers))
	for _, field := range s.Headers {
		value := field.Value
		if field.Env != "" {
			var set bool
			if value, set = os.LookupEnv(field.Env); !set || value == "" {
				return nil, &UsageError{What: fmt.Sprintf("client.headers: %s: the environment variable %s is not set: give it the value", field.Name, field.Env)}
			}
		}
		h.Add(field.Name, value)
	}
	return h, nil
}

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

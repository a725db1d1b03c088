package scenarios

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
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

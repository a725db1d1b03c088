package scenarios

import (
	"slices"
	"strings"
)

// Header is a header field that the client sends. Its value stands in the scenario, or, where it is
// a secret, in an environment variable that the scenario names: then it is written nowhere.
type Header struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value,omitempty" json:"value,omitempty"`
	Env   string `yaml:"env,omitempty" json:"env,omitempty"` // the variable that holds the value
}

const headersField = "client.headers"

// isSecretName reports whether a field of this name holds a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	words := []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature", "credential"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

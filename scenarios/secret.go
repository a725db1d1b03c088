package scenarios

import (
	"slices"
	"strings"
)

// isSecretName reports whether a field of this name is likely to hold a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	words := []string{
		"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature", "credential",
	}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

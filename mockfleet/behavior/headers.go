package behavior

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// HeaderField is a header field that a request must have.
type HeaderField struct {
	Name  string `json:"name" yaml:"name"`
	Value string `json:"value,omitempty" yaml:"value,omitempty"` // "" matches any value
}

const (
	maxRequired      = 8
	maxRequiredField = 256 // bytes of a name, and of a value
)

func validateRequire(list []HeaderField) (errs []error) {
	bad := func(name, value, want string) {
		errs = append(errs, &field.Error{Field: name, Value: value, Want: want})
	}
	if len(list) > maxRequired {
		bad("require", strconv.Itoa(len(list))+" of them", "at most "+strconv.Itoa(maxRequired))
	}
	for i, h := range list {
		notToken := func(r rune) bool { return !isTokenRune(r) }
		if h.Name == "" || len(h.Name) > maxRequiredField || strings.ContainsFunc(h.Name, notToken) {
			bad(fmt.Sprintf("require[%d].name", i), strconv.Quote(h.Name), "a field's name, such as X-Tenant")
		}
		if len(h.Value) > maxRequiredField || field.HasControl([]byte(h.Value)) {
			bad(fmt.Sprintf("require[%d].value", i), strconv.Quote(h.Value),
				fmt.Sprintf("up to %d bytes without control characters", maxRequiredField))
		}
	}
	return errs
}

// isTokenRune reports whether r may stand in a field's name (RFC 9110 §5.6.2).
func isTokenRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// Missing reports whether the header h lacks a field of list, or has another value for it.
func Missing(list []HeaderField, h interface{ Peek(name string) []byte }) bool {
	for _, want := range list {
		got := h.Peek(want.Name)
		if got == nil || want.Value != "" && string(got) != want.Value {
			return true
		}
	}
	return false
}

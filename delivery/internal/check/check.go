// Package check validates what package delivery is given: the numbers of a configuration, and texts
// that go into HTTP headers and JSON.
package check

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxTimeout bounds every duration of a configuration.
const MaxTimeout = 24 * time.Hour

// Mistakes collects everything that is wrong with a configuration.
type Mistakes struct {
	Prefix string // in front of each
	Errs   []error
}

// Add adds a mistake.
func (m *Mistakes) Add(format string, args ...any) {
	m.Errs = append(m.Errs, fmt.Errorf(m.Prefix+format, args...))
}

// Err joins the mistakes, so that each is a line of the error. It returns nil if there are none.
func (m *Mistakes) Err() error { return errors.Join(m.Errs...) }

// AtMost adds a mistake if v is negative or above most. 0 is allowed, since it stands for the
// default.
func AtMost[N int | time.Duration](m *Mistakes, name string, v, most N) {
	if v < 0 || v > most {
		m.Add("%s %v: want 0 (the default) to %v", name, v, most)
	}
}

// IsAlnum reports whether c is an ASCII letter or digit.
func IsAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// IsHeaderValue reports whether s may stand in a header field: no control
// characters (RFC 9110 §5.5), so no CR, LF or NUL.
func IsHeaderValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// IsPrintable reports whether s goes through a header and a JSON document unchanged: UTF-8 without
// control characters, and without the space around it that a header field drops (RFC 9110 §5.5).
func IsPrintable(s string) bool {
	if s != "" && (s[0] == ' ' || s[len(s)-1] == ' ') {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// IsToken reports whether s is an HTTP token (RFC 9110 §5.6.2).
func IsToken[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !IsAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(s) > 0
}

// Truncate shortens a text that an error quotes.
func Truncate(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// TruncatedError shortens the text of an error about an answer that could not be read. Such an
// error quotes the whole answer, and a device may have put anything there.
type TruncatedError struct{ Err error }

// Error implements error.
func (e *TruncatedError) Error() string { return Truncate(e.Err.Error()) }

// Unwrap returns the whole error.
func (e *TruncatedError) Unwrap() error { return e.Err }

// EqualFold reports whether b equals a text in lower case, without regard to the case of ASCII
// letters in b.
func EqualFold(b []byte, lower string) bool {
	if string(b) == lower {
		return true // the usual case, and the fast one
	}
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

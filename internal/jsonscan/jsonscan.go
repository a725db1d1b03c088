// Package jsonscan reads JSON (RFC 8259) as programs usually write it, without allocating: objects
// of texts without escapes, whole numbers, true, false and null.
//
// At anything else, right or wrong, its functions report false, and the caller reads all of it with
// encoding/json. So what they take must mean what encoding/json says it means; fuzz tests of this
// package and of its callers hold them to that.
package jsonscan

import (
	"bytes"
	"encoding/binary"
)

// A Scanner takes one value after another from the front of a text, and the white space before it.
// Where it reports false it has taken no value, but for Object, which may have taken a part of one.
// What it returns is part of the text, and lives no longer.
type Scanner struct {
	rest []byte
	utf8 bool
}

// New returns a Scanner of a text, whatever it is. Strings are taken if they are ASCII.
func New(text []byte) Scanner { return Scanner{rest: text} }

// NewUTF8 returns a Scanner of a text that is valid UTF-8. Strings beyond ASCII are taken as well.
func NewUTF8(text []byte) Scanner { return Scanner{rest: text, utf8: true} }

// Object takes an object. It calls member for each of its members in order, which must take the
// value; it may report false to stop. A name may come more than once.
func (s *Scanner) Object(member func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.String()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// String takes a string without escapes.
func (s *Scanner) String() ([]byte, bool) {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return nil, false
	}
	end := bytes.IndexByte(s.rest[1:], '"')
	if end < 0 || !isPlain(s.rest[1:end+1], s.utf8) {
		return nil, false
	}
	text := s.rest[1 : end+1]
	s.rest = s.rest[end+2:]
	return text, true
}

// Equal takes a string if it is text, which must be its own JSON form.
func (s *Scanner) Equal(text string) bool {
	s.space()
	n := len(text)
	if len(s.rest) < n+2 || s.rest[0] != '"' || s.rest[n+1] != '"' || string(s.rest[1:n+1]) != text {
		return false
	}
	s.rest = s.rest[n+2:]
	return true
}

// maxDigits is how many digits any number may have that fits an int64.
const maxDigits = 18

// Number takes a whole number of at most 18 digits, without a sign.
func (s *Scanner) Number() (n int64, ok bool) {
	s.space()
	digits := 0
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' {
		if digits == maxDigits {
			return 0, false
		}
		n = n*10 + int64(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && s.rest[0] == '0' {
		return 0, false
	}
	s.rest = s.rest[digits:] // whatever goes on with the number is no comma and no brace
	return n, true
}

// Bool takes true or false.
func (s *Scanner) Bool() (b, ok bool) {
	if s.word("true") {
		return true, true
	}
	return false, s.word("false")
}

// Null takes null.
func (s *Scanner) Null() bool { return s.word("null") }

// Skip takes a value that has no others in it.
func (s *Scanner) Skip() bool {
	s.space()
	if len(s.rest) > 0 && s.rest[0] == '"' {
		_, ok := s.String()
		return ok
	}
	if _, ok := s.Bool(); ok || s.Null() {
		return true
	}
	_, ok := s.Number()
	return ok
}

// End reports whether nothing is left but white space.
func (s *Scanner) End() bool {
	s.space()
	return len(s.rest) == 0
}

func (s *Scanner) word(w string) bool {
	s.space()
	if len(s.rest) < len(w) || string(s.rest[:len(w)]) != w {
		return false
	}
	s.rest = s.rest[len(w):]
	return true
}

// take takes a byte, and the white space before it.
func (s *Scanner) take(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *Scanner) space() {
	for len(s.rest) > 0 && s.rest[0] <= ' ' && isSpace(s.rest[0]) {
		s.rest = s.rest[1:]
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// isPlain reports whether a string has neither an escape nor a control character, nor, unless it is
// valid UTF-8, anything beyond ASCII. It looks at eight bytes at once: a borrow reaches the top bit
// of a byte that is less than what is taken from it.
func isPlain(s []byte, utf8 bool) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	beyond := uint64(top) // the bits of a byte that must not be set
	if utf8 {
		beyond = 0
	}
	for len(s) >= 8 {
		x := binary.LittleEndian.Uint64(s)
		escape := x ^ each*'\\'
		if ((x-each*' ')&^x|(escape-each)&^escape)&top|x&beyond != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c < ' ' || c == '\\' || c >= 0x80 && !utf8 {
			return false
		}
	}
	return true
}

// FoldsTo reports whether encoding/json might take the name of a member for one of names, none of
// which it equals. Besides ASCII case it folds two other letters onto k and s, so any byte beyond
// ASCII is reported.
func FoldsTo(name []byte, names ...string) bool {
	for _, c := range name {
		if c >= 0x80 {
			return true
		}
	}
	for _, n := range names {
		if equalFold(name, n) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII texts without regard to case.
func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

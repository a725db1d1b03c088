// Package jsonscan reads JSON (RFC 8259) as programs usually write it, without allocating: objects,
// strings without escapes, whole numbers, true, false and null.
//
// At anything else, valid or not, its functions report false, and the caller decodes the whole
// text with encoding/json instead. A text that this package accepts must therefore mean the same to
// encoding/json; fuzz tests of this package and of its callers check that.
package jsonscan

import (
	"bytes"
	"encoding/binary"
)

// A Scanner reads one value after another from the front of a text, skipping white space. A method
// that reports false has read nothing, except for Object, which may have read a part. The slices
// that methods return are parts of the text.
type Scanner struct {
	rest []byte
	utf8 bool
}

// New returns a Scanner of any text. It accepts only strings in ASCII.
func New(text []byte) Scanner { return Scanner{rest: text} }

// NewUTF8 returns a Scanner of a text that the caller knows to be valid UTF-8. It accepts strings
// beyond ASCII as well.
func NewUTF8(text []byte) Scanner { return Scanner{rest: text, utf8: true} }

// Object reads an object. It calls member for each of its members in order, and member must read
// the value. If member reports false, Object does so too. A name may occur more than once.
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

// String reads a string without escapes, and returns the bytes between its quotes.
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

// Equal reads a string if it equals text, and otherwise reports false. text must not need escapes
// in JSON.
func (s *Scanner) Equal(text string) bool {
	s.space()
	n := len(text)
	if len(s.rest) < n+2 || s.rest[0] != '"' || s.rest[n+1] != '"' || string(s.rest[1:n+1]) != text {
		return false
	}
	s.rest = s.rest[n+2:]
	return true
}

// maxDigits is the largest number of digits with which every number fits an int64.
const maxDigits = 18

// Number reads a whole number of at most 18 digits, without a sign.
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
	s.rest = s.rest[digits:] // a fraction or exponent is left, which no caller accepts as the next token
	return n, true
}

// Bool reads true or false.
func (s *Scanner) Bool() (b, ok bool) {
	if s.word("true") {
		return true, true
	}
	return false, s.word("false")
}

// Null reads null.
func (s *Scanner) Null() bool { return s.word("null") }

// Skip reads a string, a number, a boolean or null. It reports false for an object or an array.
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

// End reports whether only white space is left.
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

// take reads the byte c, and the white space before it.
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

// isPlain reports whether a string has no escapes, no control characters and, unless utf8 is set,
// nothing beyond ASCII. It looks at eight bytes at once: subtracting a larger value from a byte
// borrows, which sets the byte's top bit.
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

// FoldsTo reports whether encoding/json, which ignores case, might match the name of a member to
// one of names, none of which it equals. Besides ASCII case, encoding/json folds two other
// characters to k and s, so FoldsTo reports true for any name with a byte beyond ASCII.
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

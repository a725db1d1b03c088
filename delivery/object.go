package delivery

import (
	"bytes"
	"encoding/binary"
)

// object walks over one flat JSON object (RFC 8259), a member a call to next, and
// stops with done unset at anything that it doesn't take: it is for answers as
// devices usually write them.
type object struct {
	rest  []byte
	key   []byte
	value []byte // a string without its quotes, or a number, true, false, null as written
	kind  byte   // '"' string, '0' number, 't' true, 'f' false, 'n' null
	begun bool
	done  bool // the object ended, and nothing but white space came after it
}

func (o *object) next() bool {
	o.space()
	if !o.begun {
		if !o.take('{') {
			return false
		}
		o.begun = true
		o.space()
		if o.take('}') {
			return o.end()
		}
	} else {
		if o.take('}') {
			return o.end()
		}
		if !o.take(',') {
			return false
		}
		o.space()
	}
	var ok bool
	if o.key, ok = o.quoted(); !ok {
		return false
	}
	o.space()
	if !o.take(':') {
		return false
	}
	o.space()
	return o.scalar()
}

// end is the close of the object; it always gives false, for there is no member.
func (o *object) end() bool {
	o.space()
	o.done = len(o.rest) == 0
	return false
}

func (o *object) space() {
	for len(o.rest) > 0 && o.rest[0] <= ' ' && isSpace(o.rest[0]) {
		o.rest = o.rest[1:]
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func (o *object) take(c byte) bool {
	if len(o.rest) == 0 || o.rest[0] != c {
		return false
	}
	o.rest = o.rest[1:]
	return true
}

// quoted takes a string of printable ASCII without escapes.
func (o *object) quoted() ([]byte, bool) {
	if !o.take('"') {
		return nil, false
	}
	end := bytes.IndexByte(o.rest, '"')
	if end < 0 || !isPlain(o.rest[:end]) {
		return nil, false
	}
	s := o.rest[:end]
	o.rest = o.rest[end+1:]
	return s, true
}

// isPlain reports whether a string has neither an escape nor a control character nor
// anything beyond ASCII. It looks at eight bytes at once: a borrow reaches the top bit
// of a byte that is less than what is taken from it.
func isPlain(s []byte) bool {
	const each = 0x0101010101010101
	for len(s) >= 8 {
		x := binary.LittleEndian.Uint64(s)
		escape := x ^ each*'\\'
		if ((x-each*' ')&^x|(escape-each)&^escape|x)&(each*0x80) != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

func (o *object) scalar() bool {
	if len(o.rest) == 0 {
		return false
	}
	switch c := o.rest[0]; c {
	case '"':
		o.kind = '"'
		var ok bool
		o.value, ok = o.quoted()
		return ok
	case 't':
		return o.word("true")
	case 'f':
		return o.word("false")
	case 'n':
		return o.word("null")
	default:
		return o.digits()
	}
}

func (o *object) word(w string) bool {
	if !bytes.HasPrefix(o.rest, []byte(w)) {
		return false
	}
	o.kind, o.value, o.rest = w[0], o.rest[:len(w)], o.rest[len(w):]
	return true
}

// digits takes a whole number without a sign, a leading zero or an exponent.
func (o *object) digits() bool {
	n := 0
	for n < len(o.rest) && o.rest[n] >= '0' && o.rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 18 || n > 1 && o.rest[0] == '0' {
		return false
	}
	if n < len(o.rest) && (o.rest[n] == '.' || o.rest[n] == 'e' || o.rest[n] == 'E') {
		return false
	}
	o.kind, o.value, o.rest = '0', o.rest[:n], o.rest[n:]
	return true
}

// text stores a string member; null leaves to as it is, as in encoding/json.
func (o *object) text(to *[]byte) bool {
	if o.kind == '"' {
		*to = o.value
	}
	return o.kind == '"' || o.kind == 'n'
}

// integer stores a number member; null leaves to as it is.
func (o *object) integer(to *int64) bool {
	if o.kind == '0' {
		n := int64(0) // at most 18 digits: it fits
		for _, c := range o.value {
			n = n*10 + int64(c-'0')
		}
		*to = n
	}
	return o.kind == '0' || o.kind == 'n'
}

// boolean stores a true or false member; null leaves to as it is.
func (o *object) boolean(to *bool) bool {
	if o.kind == 't' || o.kind == 'f' {
		*to = o.kind == 't'
		return true
	}
	return o.kind == 'n'
}

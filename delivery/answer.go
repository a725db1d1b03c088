package delivery

import (
	"bytes"
	"encoding/binary"
	"encoding/json"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// updateView and versionView are a device's answers as parts of the bytes they came in: parsing the
// usual answer allocates nothing. They live no longer than those bytes.
//
// What the fast reader takes, it takes as encoding/json would; whatever is unusual
// (an escape, nesting, a name in another case, invalid UTF-8) goes to encoding/json
// itself. A fuzz test holds the two together.
type updateView struct {
	success bool
	told    bool // whether success was there, and not null
	message []byte
	size    int64
	digest  []byte
}

type versionView struct {
	deviceID, version, digest, state, updatedAt []byte
}

func (v *updateView) parse(b []byte) error {
	*v = updateView{}
	if v.fast(b) {
		return nil
	}
	var a struct {
		wire.UpdateAnswer
		Success *bool `json:"success"` // instead of the one within
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*v = updateView{a.Success != nil && *a.Success, a.Success != nil, []byte(a.Message), a.Size, []byte(a.Digest)}
	return nil
}

func (v *updateView) fast(b []byte) bool {
	o := object{rest: b}
	for o.next() {
		ok := true
		switch string(o.key) {
		case "success":
			ok = o.boolean(&v.success)
			v.told = v.told || o.kind != 'n'
		case "message":
			ok = o.text(&v.message)
		case "size":
			ok = o.integer(&v.size)
		case "digest":
			ok = o.text(&v.digest)
		default:
			ok = !foldsTo(o.key, "success", "message", "size", "digest")
		}
		if !ok {
			return false
		}
	}
	return o.done
}

func (v *versionView) parse(b []byte) error {
	*v = versionView{}
	if v.fast(b) {
		return nil
	}
	var a wire.VersionAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*v = versionView{[]byte(a.DeviceID), []byte(a.Version), []byte(a.Digest), []byte(a.State), []byte(a.UpdatedAt)}
	return nil
}

func (v *versionView) fast(b []byte) bool {
	o := object{rest: b}
	for o.next() {
		ok := true
		switch string(o.key) {
		case "device_id":
			ok = o.text(&v.deviceID)
		case "version":
			ok = o.text(&v.version)
		case "digest":
			ok = o.text(&v.digest)
		case "state":
			ok = o.text(&v.state)
		case "updated_at":
			ok = o.text(&v.updatedAt)
		default:
			ok = !foldsTo(o.key, "device_id", "version", "digest", "state", "updated_at")
		}
		if !ok {
			return false
		}
	}
	return o.done
}

// foldsTo reports whether encoding/json might take key for one of names. Besides ASCII case it
// folds two other letters onto k and s, so any byte beyond ASCII is left to it.
func foldsTo(key []byte, names ...string) bool {
	for _, c := range key {
		if c >= 0x80 {
			return true
		}
	}
	for _, name := range names {
		if equalFoldASCII(key, name) {
			return true
		}
	}
	return false
}

// object walks over one flat JSON object (RFC 8259), a member a call to next, and stops with done
// unset at anything that it doesn't take: it is for answers as devices usually write them.
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

package inventory

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// fastJSON reads a device as most files write it: an object of texts without escapes. It
// reports false for everything else, right or wrong, which parseJSON reads and names. The
// text is UTF-8. What devices have in common is shared without being allocated.
func (l *loader) fastJSON(text []byte) (d Entry, ok bool) {
	s := textScanner{rest: text}
	var f deviceFields
	if !s.object(func(name []byte) bool { return f.member(&s, name) }) || !s.end() {
		return d, false
	}
	d.Location, ok = l.known(l.places, f.value[fieldLocation])
	if !ok {
		return d, false
	}
	d.Version, ok = l.known(l.texts, f.value[fieldVersion])
	if !ok {
		return d, false
	}
	if len(f.labels) > 0 {
		slices.SortFunc(f.labels, func(a, b labelText) int { return bytes.Compare(a.name, b.name) })
		l.key = l.key[:0]
		for _, label := range f.labels {
			l.key = appendLabel(appendLabel(l.key, label.name), label.value)
		}
		if d.Labels, ok = l.labels[string(l.key)]; !ok {
			return d, false
		}
	}
	// One allocation for the two texts that are the device's alone.
	id, address := f.value[fieldID], f.value[fieldAddress]
	l.own = append(append(l.own[:0], id...), address...)
	own := string(l.own)
	d.ID, d.Address = own[:len(id)], own[len(id):]
	return d, true
}

// known returns a text that is held already, without an allocation.
func (l *loader) known(texts map[string]string, b []byte) (string, bool) {
	if len(b) == 0 {
		return "", true
	}
	s, ok := texts[string(b)]
	return s, ok
}

// appendLabel appends to a key that two sets of labels share if they are equal.
func appendLabel[T string | []byte](key []byte, text T) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}

// The fields of a device that are texts.
const (
	fieldID = iota
	fieldAddress
	fieldLocation
	fieldVersion
	numTextFields
)

// deviceFields are a device's fields as parts of its line.
type deviceFields struct {
	value  [numTextFields][]byte
	has    [numTextFields + 1]bool // the last is labels
	labels []labelText
	room   [8]labelText
}

type labelText struct{ name, value []byte }

// member takes a member of the object, and reports false for what it doesn't know.
func (f *deviceFields) member(s *textScanner, name []byte) bool {
	field := numTextFields
	switch string(name) {
	case "id":
		field = fieldID
	case "address":
		field = fieldAddress
	case "location":
		field = fieldLocation
	case "version":
		field = fieldVersion
	case "labels":
	default:
		return false
	}
	if f.has[field] {
		return false
	}
	f.has[field] = true
	if field < numTextFields {
		var ok bool
		f.value[field], ok = s.text()
		return ok
	}
	f.labels = f.room[:0]
	return s.object(func(name []byte) bool {
		for _, label := range f.labels {
			if bytes.Equal(label.name, name) {
				return false
			}
		}
		value, ok := s.text()
		f.labels = append(f.labels, labelText{name, value})
		return ok && len(f.labels) <= maxLabels
	})
}

// textScanner walks over JSON (RFC 8259) that has objects and texts without escapes, and
// reports false at anything else.
type textScanner struct{ rest []byte }

// object calls member for each member when it is up to the value.
func (s *textScanner) object(member func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.text()
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

// take takes a byte and the white space before it.
func (s *textScanner) take(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *textScanner) space() {
	for len(s.rest) > 0 && isSpace(s.rest[0]) {
		s.rest = s.rest[1:]
	}
}

// text takes a string without escapes or control characters.
func (s *textScanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, true
		case c < ' ' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// end reports whether nothing is left but white space.
func (s *textScanner) end() bool {
	s.space()
	return len(s.rest) == 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

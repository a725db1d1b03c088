package inventory

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/fleetmark/fleetmark/internal/jsonscan"
)

// fastJSON reads a device as most files write it: an object of texts without escapes. It reports
// false for everything else, valid or not, which parseJSON then reads. The text is UTF-8. Values
// that devices have in common are shared without an allocation.
func (l *loader) fastJSON(text []byte) (d Entry, ok bool) {
	s := jsonscan.NewUTF8(text)
	var f deviceFields
	if !s.Object(func(name []byte) bool { return f.member(&s, name) }) || !s.End() {
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

// appendLabel appends a name or a value to the key of a set of labels. Equal sets have equal keys,
// and different sets different ones.
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
func (f *deviceFields) member(s *jsonscan.Scanner, name []byte) bool {
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
		f.value[field], ok = s.String()
		return ok
	}
	f.labels = f.room[:0]
	return s.Object(func(name []byte) bool {
		for _, label := range f.labels {
			if bytes.Equal(label.name, name) {
				return false
			}
		}
		value, ok := s.String()
		f.labels = append(f.labels, labelText{name, value})
		return ok && len(f.labels) <= maxLabels
	})
}

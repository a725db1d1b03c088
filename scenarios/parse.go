package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// LoadFile reads a scenario file. Its error is as that of Parse, or tells why the file can't be read.
func LoadFile(path string) (Spec, error) {
	text, err := readSpecFile(path)
	if err != nil {
		return Spec{}, err
	}
	return Parse(path, text)
}

// Parse reads a scenario from YAML. Its error joins every mistake, as *SpecError, in the order
// of the file, and the first 20 of them at most; file is what they call it, and where the path
// of a base that it extends begins. The Spec is whole: what the text leaves out has the base's
// value, or its default.
func Parse(file string, text []byte) (Spec, error) {
	src, err := newSource(file, text)
	if err != nil {
		return Spec{}, err
	}
	return src.spec()
}

// spec is the scenario that a source says, what it extends included.
func (src *source) spec() (Spec, error) {
	sources, broken := chain(src)
	d := decoder{positions: map[string]position{}}
	s := Default()
	var files, names []string
	for i, layer := range slices.Backward(sources) {
		if i < len(sources)-1 {
			names = append(names, s.Name)
			d.ready(&s, layer)
		}
		d.src = layer
		d.decode(layer.root, reflect.ValueOf(&s).Elem(), Mapping{}, "")
	}
	for _, layer := range sources {
		files = append(files, layer.file)
	}
	if broken != nil { // nobody knows the values
		d.add(broken)
		return Spec{}, d.err(files...)
	}
	if _, written := d.positions["load.workers"]; !written && s.Load.known() && s.Load.IsOpen() {
		s.Load.Workers = 0 // as many as it takes
	}
	nameTold := d.checkOwnName(&s, sources, names)
	for _, f := range s.check(d.undecoded) {
		if !nameTold || f.path != "name" {
			d.add(d.positionOf(f.path, f.because).attach(&SpecError{Field: f.path, Problem: f.Problem, Want: f.Want}))
		}
	}
	if err := d.err(files...); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// YAML writes the whole scenario, defaults and all, so that Parse reads it back. What a terminal would
// take for an order, or not show, is escaped.
func (s Spec) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(s, yaml.CustomMarshaler(func(text string) ([]byte, error) {
		if !strings.ContainsFunc(text, unprintable) {
			return yaml.Marshal(text)
		}
		return doubleQuoted(text), nil
	}))
}

// unprintable reports whether a character is no letter, mark, number, sign or space that is seen as such; a line
// feed is.
func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// doubleQuoted is a text in YAML's double quotes, with escapes (YAML 1.2.2, section 5.7).
func doubleQuoted(text string) []byte {
	b := []byte{'"'}
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case unprintable(r) && r <= 0xff:
			b = fmt.Appendf(b, `\x%02x`, r)
		case unprintable(r) && r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		case unprintable(r):
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

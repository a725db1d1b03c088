package scenarios

import (
	"reflect"

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
// of the file, and the first 20 of them at most; file is what they call it. The Spec is whole:
// what the text leaves out has its default.
func Parse(file string, text []byte) (Spec, error) {
	src, err := newSource(file, text)
	if err != nil {
		return Spec{}, err
	}
	b := binder{places: map[string]place{}}
	s := Default()
	b.src = src
	b.bind(src.root, reflect.ValueOf(&s).Elem(), "")
	for _, e := range s.check() {
		if !b.doubts(e.Field) {
			b.add(b.placeOf(e.Field).at(e))
		}
	}
	if err := b.err(src.file); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// YAML writes the whole scenario, defaults and all, so that Parse reads it back.
func (s Spec) YAML() ([]byte, error) { return yaml.Marshal(s) }

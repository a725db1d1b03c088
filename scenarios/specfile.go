package scenarios

import (
	"reflect"
	"slices"

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
	b := binder{places: map[string]place{}}
	s := Default()
	var files, names []string
	for i, layer := range slices.Backward(sources) {
		if i < len(sources)-1 {
			names = append(names, s.Name)
			b.ready(&s, layer)
		}
		b.src = layer
		b.bind(layer.root, reflect.ValueOf(&s).Elem(), "")
	}
	for _, layer := range sources {
		files = append(files, layer.file)
	}
	if broken != nil { // nobody knows the values
		b.add(broken)
		return Spec{}, b.err(files...)
	}
	nameTold := b.checkOwnName(&s, sources, names)
	for _, e := range s.check() {
		if !b.doubts(e.Field) && !(nameTold && e.Field == "name") {
			b.add(b.placeOf(e.Field).at(e))
		}
	}
	if err := b.err(files...); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// YAML writes the whole scenario, defaults and all, so that Parse reads it back.
func (s Spec) YAML() ([]byte, error) { return yaml.Marshal(s) }

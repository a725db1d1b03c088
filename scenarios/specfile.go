package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
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
	if _, written := b.places["load.workers"]; !written && s.Load.known() && s.Load.IsOpen() {
		s.Load.Workers = 0 // as many as it takes
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

//go:embed catalog/*.yaml
var catalog embed.FS

// Names lists the catalogue's scenarios, sorted.
func Names() []string {
	files, err := fs.Glob(catalog, "catalog/*.yaml")
	if err != nil { // only for a malformed pattern
		panic(err)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return names
}

// Find gives a scenario: one of the catalogue by its name, or a file's by its path,
// which ends in .yaml or .yml or has a separator in it.
func Find(nameOrFile string) (Spec, error) {
	if isFile(nameOrFile) {
		return LoadFile(nameOrFile)
	}
	src, err := catalogued(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		names := Names()
		return Spec{}, &UsageError{What: fmt.Sprintf("scenario %q: no such scenario%s; want one of %s, or a file FILE.yaml",
			nameOrFile, didYouMean(nameOrFile, names), strings.Join(names, ", "))}
	}
	if err != nil {
		return Spec{}, err
	}
	return src.spec()
}

// isFile tells a file's path from a name of the catalogue.
func isFile(nameOrFile string) bool {
	return strings.HasSuffix(nameOrFile, ".yaml") || strings.HasSuffix(nameOrFile, ".yml") || strings.ContainsAny(nameOrFile, `/\`)
}

// catalogued reads a scenario of the catalogue.
func catalogued(name string) (*source, error) {
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	src, err := newSource(catalogFile(name), text)
	if err != nil {
		return nil, err
	}
	src.catalogued = true
	return src, nil
}

func catalogFile(name string) string { return "catalog/" + name + ".yaml" }

// Source gives a catalogue scenario's file as it is written, comments and all.
func Source(name string) ([]byte, error) { return catalog.ReadFile(catalogFile(name)) }

// maxSuite bounds a suite.
const maxSuite = 100

// checkSuite reports what of a suite makes no sense. It has its members, and nothing of its own.
func (s Spec) checkSuite(bad func(field, format string, args ...any)) {
	if len(s.Suite) == 0 {
		return
	}
	if len(s.Suite) > maxSuite {
		bad("suite", "%d scenarios: want %d at most", len(s.Suite), maxSuite)
	}
	bare := Default()
	bare.Name, bare.Description, bare.Suite = s.Name, s.Description, s.Suite
	if !reflect.DeepEqual(s, bare) {
		bad("suite", "a suite runs its scenarios as they are: want nothing beside it but name and description")
	}
	seen := map[string]bool{}
	for i, name := range s.Suite {
		if name == "" || seen[name] {
			bad(indexed("suite", i), "%q: want each scenario once", name)
		}
		seen[name] = true
	}
}

// Members returns the scenarios that a name or a file stands for: that one, or those of a suite, with the
// suite's name. A suite's file names others relative to itself.
func Members(nameOrFile string) (suite string, members []Spec, err error) {
	s, err := Find(nameOrFile)
	if err != nil {
		return "", nil, err
	}
	if len(s.Suite) == 0 {
		return "", []Spec{s}, nil
	}
	for _, name := range s.Suite {
		if isFile(name) && isFile(nameOrFile) && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(nameOrFile), name)
		}
		of, err := Find(name)
		if err != nil {
			return "", nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
		}
		if len(of.Suite) > 0 {
			return "", nil, &UsageError{What: fmt.Sprintf("suite %s: %s is a suite itself: name its scenarios", nameOrFile, name)}
		}
		members = append(members, of)
	}
	return s.Name, members, nil
}

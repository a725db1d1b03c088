package scenarios

import (
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// LoadFile reads a scenario file. It returns the same errors as Parse, or an error that says why
// the file can't be read.
func LoadFile(path string) (Spec, error) {
	text, err := readSpecFile(path)
	if err != nil {
		return Spec{}, err
	}
	return Parse(path, text)
}

// Parse parses a scenario from YAML. file names the text in errors, and a relative path of a base
// starts from its directory. The error joins a *SpecError for each mistake, in the order of the
// file, and at most 20 of them. Fields that the text leaves out have the base's values or their
// defaults in the Spec.
func Parse(file string, text []byte) (Spec, error) {
	src, err := newSource(file, text)
	if err != nil {
		return Spec{}, err
	}
	return src.spec()
}

// spec returns the scenario of a source, with what it inherits.
func (src *source) spec() (Spec, error) {
	sources, broken := baseChain(src)
	d := decoder{positions: map[string]position{}}
	s := Default()
	var files, names []string
	for i, layer := range slices.Backward(sources) {
		if i < len(sources)-1 {
			names = append(names, s.Name)
			d.prepareForVariant(&s, layer)
		} else if layer.find("client", "service") != nil {
			s.becomeService()
		}
		d.src = layer
		d.decode(layer.Root, reflect.ValueOf(&s).Elem(), specField(), "")
		d.resolveDirectory("client.directory", "client.command", &s.Client.Directory)
		d.resolveDirectory("client.service.directory", "client.service", &s.Client.Service.Directory)
	}
	for _, layer := range sources {
		files = append(files, layer.file)
	}
	if broken != nil { // without the base, the values aren't known
		d.add(broken)
		return Spec{}, d.err(files...)
	}
	if _, written := d.positions["load.workers"]; !written && s.Load.IsOpen() {
		s.Load.Workers = 0 // the runner starts as many as it needs
	}
	nameReported := d.checkVariantName(&s, sources, names)
	for _, f := range s.check(d.undecoded) {
		if !nameReported || f.path != "name" {
			d.add(d.positionOf(f.path, f.because).attach(&SpecError{Field: f.path, Wrong: f.Wrong}))
		}
	}
	if err := d.err(files...); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// resolveDirectory makes the directory of a command, of the source that was just decoded, relative to
// the current directory. It sets the directory if the source has the command and no source has a
// directory.
func (d *decoder) resolveDirectory(field, command string, directory *string) {
	if d.src.fromCatalog {
		return
	}
	own := filepath.Dir(d.src.file)
	at, written := d.positions[field]
	switch {
	case written && at.src == d.src && filepath.IsAbs(*directory):
	case written && at.src == d.src:
		*directory = filepath.Join(own, *directory)
	case !written && d.positions[command].src == d.src:
		if *directory = own; own == "." {
			*directory = ""
		}
	}
}

// Set changes one field by an assignment KEY=VALUE: KEY is its path from the root, such as
// load.rate or fleet.groups[0].share, and VALUE is as in a file. Text needs no quotes:
// artifact.version=2.0 means the text 2.0. The error is a *SpecError.
func (s *Spec) Set(assignment string) error {
	path, value, ok := strings.Cut(assignment, "=")
	wrong := func(w Wrong) error { return &SpecError{Origin: InAssignment, Field: path, Wrong: w} }
	if !ok {
		path = ""
		return wrong(Wrong{strconv.Quote(assignment), "KEY=VALUE, such as load.workers=64"})
	}
	if path == extendsKey {
		return wrong(Wrong{"a base is named in a file", "a file that says extends: " + value})
	}
	changed := *s
	if isWithin(path, "client.service") && s.Load.Model != Service {
		changed.becomeService()
	}
	v, f, w := fieldAt(reflect.ValueOf(&changed).Elem(), path)
	if w != nil {
		return wrong(*w)
	}
	text := value
	if f.isText() && !strings.HasPrefix(value, `"`) {
		text = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	src, err := newSource("", []byte(text))
	if err != nil {
		return wrong(Wrong{strconv.Quote(yamlnode.Clip(value)), "a value"})
	}
	d := decoder{src: src, positions: map[string]position{}}
	d.decode(src.Root, v, f, path)
	for _, e := range d.found {
		e.Origin, e.Line, e.Column, e.Source = InAssignment, 0, 0, "" // a position has no meaning in an assignment
	}
	if err := d.err(); err != nil {
		return err
	}
	*s = changed
	return nil
}

// SetText changes one field as Set does, but takes value literally, with quotes and all.
func (s *Spec) SetText(path, value string) error {
	changed := *s
	v, f, wrong := fieldAt(reflect.ValueOf(&changed).Elem(), path)
	if wrong != nil || !f.isText() {
		return s.Set(path + "=" + value)
	}
	v.SetString(value)
	*s = changed
	return nil
}

package scenarios

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// Set changes one field by an assignment KEY=VALUE: KEY is its path from the root, such as
// load.rate or fleet.groups[0].share, and VALUE is as in a file. Text needs no quotes:
// artifact.version=2.0 means the text 2.0. The error is a *SpecError.
func (s *Spec) Set(assignment string) error {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return &SpecError{Origin: InAssignment, Problem: strconv.Quote(assignment), Want: "KEY=VALUE, such as load.workers=64"}
	}
	if path == extendsKey {
		return &SpecError{Origin: InAssignment, Field: path, Problem: "a base is named in a file", Want: "a file that says extends: " + value}
	}
	changed := *s
	v, f, wrong := fieldAt(reflect.ValueOf(&changed).Elem(), path)
	if wrong != nil {
		return &SpecError{Origin: InAssignment, Field: path, Problem: wrong.Problem, Want: wrong.Want}
	}
	text := value
	if f.isText() && !strings.HasPrefix(value, `"`) {
		text = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	src, err := newSource("", []byte(text))
	if err != nil {
		return &SpecError{Origin: InAssignment, Field: path, Problem: strconv.Quote(yamlnode.Clip(value)), Want: "a value"}
	}
	d := decoder{src: src, positions: map[string]position{}}
	d.decode(src.root, v, f, path)
	for _, e := range d.found {
		e.Origin, e.Line, e.Column, e.Source = InAssignment, 0, 0, "" // the place says nothing of an assignment
	}
	if err := d.err(); err != nil {
		return err
	}
	*s = changed
	return nil
}

// SetText changes one field as Set does, but takes text as it is, quotes included.
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

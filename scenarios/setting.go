package scenarios

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

const setFlag = "--set"

// Set changes one field, as --set KEY=VALUE does: KEY is a field's name from the
// root, such as load.rate or fleet.groups[0].share, and VALUE is as in a file.
func (s *Spec) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return &SpecError{File: setFlag, Problem: fmt.Sprintf("%q: want KEY=VALUE, such as load.workers=64", assignment)}
	}
	if key == extendsKey {
		return &SpecError{File: setFlag, Field: key, Problem: "a base is named in a file: want a file that says extends: " + value}
	}
	changed := *s
	v, err := fieldNamed(reflect.ValueOf(&changed).Elem(), key)
	if err != nil {
		return err
	}
	text := value
	if v.Kind() == reflect.String && !strings.HasPrefix(value, "\"") {
		// Text needs no quotes here: --set artifact.version=2.0 means the text 2.0.
		text = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	src, err := newSource(setFlag, []byte(text))
	if err != nil {
		return &SpecError{File: setFlag, Field: key, Problem: fmt.Sprintf("%q: want a value", yamlnode.Clip(value))}
	}
	b := binder{src: src, places: map[string]place{}}
	b.bind(src.root, v, key)
	for _, e := range b.list {
		e.Line, e.Column, e.Source = 0, 0, "" // places in a flag help nobody
	}
	if err := b.err(setFlag); err != nil {
		return err
	}
	*s = changed
	return nil
}

// fieldNamed finds a field from the root, v. Lists on the way are cloned, for other specs may
// hold them too.
func fieldNamed(v reflect.Value, key string) (reflect.Value, error) {
	wrong := func(format string, args ...any) (reflect.Value, error) {
		return v, &SpecError{File: setFlag, Field: key, Problem: fmt.Sprintf(format, args...)}
	}
	done := ""
	for part := range strings.SplitSeq(key, ".") {
		name, indices, _ := strings.Cut(part, "[")
		if v.Kind() != reflect.Struct {
			return wrong("%s has no fields", done)
		}
		member, ok := memberOf(v, name)
		if !ok {
			keys := keysOf(v.Type())
			return wrong("unknown key %q%s; want one of %s", yamlnode.Clip(name), didYouMean(name, keys), strings.Join(keys, ", "))
		}
		v, done = member, yamlnode.Join(done, name)
		if len(name) == len(part) {
			continue
		}
		inside, closed := strings.CutSuffix(indices, "]")
		if v.Kind() != reflect.Slice {
			return wrong("%s is no list: want it without [%s", done, yamlnode.Clip(indices))
		}
		i, err := strconv.ParseUint(inside, 10, 31)
		if !closed || err != nil {
			return wrong("%s[%s: want a place in the list, such as %s", done, yamlnode.Clip(indices), indexed(done, 0))
		}
		if n := v.Len(); i >= uint64(n) {
			return wrong("%s", beyond(done, int(i), n))
		}
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		v, done = v.Index(int(i)), indexed(done, int(i))
	}
	return v, nil
}

// beyond tells that a list of n members has no i-th one.
func beyond(list string, i, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%s is empty: want the whole list, %s=[…]", list, list)
	case 1:
		return fmt.Sprintf("there is no %s in a list of one: want %s, or the whole list, %s=[…]", indexed(list, i), indexed(list, 0), list)
	}
	return fmt.Sprintf("there is no %s in a list of %d: want %s to %s, or the whole list, %s=[…]", indexed(list, i), n, indexed(list, 0), indexed(list, n-1), list)
}

// A field's name is the keys that lead to it from the root of the document, with places in
// lists: fleet.groups[0].share.

// indexed names a member of a list.
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// above is what a field is part of.
func above(field string) string { return field[:max(0, strings.LastIndexAny(field, ".["))] }

// memberOf finds a struct's field by its YAML key.
func memberOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if keyOf(v.Type().Field(i)) == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keyOf is a field's YAML key, without the options behind it.
func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := keyOf(t.Field(i)); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// related reports whether one of two fields is the other or a part of it.
func related(a, b string) bool { return isPart(a, b) || isPart(b, a) }

// isPart reports whether field is whole or something in it.
func isPart(field, whole string) bool {
	rest, ok := strings.CutPrefix(field, whole)
	return ok && (rest == "" || whole == "" || rest[0] == '.' || rest[0] == '[')
}

package scenarios

import (
	"fmt"
	"reflect"
	"strings"
)

// Set changes one field, as --set KEY=VALUE does: KEY is a field's name from the
// root, such as load.rate, and VALUE is as in a file.
func (s *Spec) Set(assignment string) error {
	const flag = "--set"
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return &SpecError{File: flag, Problem: fmt.Sprintf("%q: want KEY=VALUE, such as load.workers=64", assignment)}
	}
	if key == extendsKey {
		return &SpecError{File: flag, Field: key, Problem: "a base is named in a file: want a file that says extends: " + value}
	}
	v := reflect.ValueOf(s).Elem()
	done := ""
	for part := range strings.SplitSeq(key, ".") {
		if v.Kind() != reflect.Struct {
			return &SpecError{File: flag, Field: key, Problem: done + " has no fields"}
		}
		member, ok := memberOf(v, part)
		if !ok {
			keys := keysOf(v.Type())
			return &SpecError{File: flag, Field: key, Problem: fmt.Sprintf("unknown key %q%s; want one of %s", part, didYouMean(part, keys), strings.Join(keys, ", "))}
		}
		v, done = member, join(done, part)
	}
	var src *source
	if v.Kind() == reflect.String && !strings.HasPrefix(value, "\"") {
		// Text needs no quotes here: --set artifact.version=2.0 means the text 2.0.
		quoted, err := newSource(flag, []byte("'"+strings.ReplaceAll(value, "'", "''")+"'"))
		if err != nil {
			return &SpecError{File: flag, Field: key, Problem: fmt.Sprintf("%q: %v", value, err)}
		}
		src = quoted
	} else {
		parsed, err := newSource(flag, []byte(value))
		if err != nil {
			return &SpecError{File: flag, Field: key, Problem: fmt.Sprintf("%q: want a value", value)}
		}
		src = parsed
	}
	b := binder{src: src, places: map[string]place{}}
	b.bind(src.root, v, key)
	for _, e := range b.list {
		e.Line, e.Column, e.Source = 0, 0, "" // places in a flag help nobody
	}
	return b.err(flag)
}

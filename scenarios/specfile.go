package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxSpecFile bounds a scenario file.
const maxSpecFile = 1 << 20

// LoadFile reads a scenario file.
func LoadFile(path string) (Spec, error) {
	f, err := os.Open(path)
	if err != nil {
		return Spec{}, unreadable(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSpecFile+1))
	if err != nil {
		return Spec{}, unreadable(path, err)
	}
	if len(text) > maxSpecFile {
		return Spec{}, &SpecError{File: path, Problem: fmt.Sprintf("over %d bytes: want a scenario", maxSpecFile)}
	}
	return Parse(path, text)
}

func unreadable(path string, err error) error {
	return usage(pathError(err), "scenario file %s", path)
}

// pathError is err without the path, for where that is named already.
func pathError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// Parse reads a scenario from YAML. Its error joins every mistake, as *SpecError,
// in the order of the file; file is what they call it. The Spec is whole: what the
// text leaves out has its default.
func Parse(file string, text []byte) (Spec, error) {
	s := Default()
	root, err := parseDocument(file, text)
	if err != nil {
		return Spec{}, err
	}
	b := binder{file: file, places: map[string]place{}}
	b.bind(root, reflect.ValueOf(&s).Elem(), "")
	if len(b.errs) == 0 {
		for _, e := range s.check() {
			at := b.placeOf(e.Field)
			e.File, e.Line, e.Column = file, at.line, at.column
			b.errs = append(b.errs, e)
		}
	}
	if len(b.errs) > 0 {
		return Spec{}, joinSpec(b.errs)
	}
	return s, nil
}

func parseDocument(file string, text []byte) (ast.Node, error) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		e := &SpecError{File: file, Problem: oneLine(err.Error())}
		if y, ok := errors.AsType[yaml.Error](err); ok {
			e.Problem = "not YAML: " + oneLine(y.GetMessage())
			if t := y.GetToken(); t != nil {
				e.Line, e.Column = t.Position.Line, t.Position.Column
			}
		}
		return nil, e
	}
	var root ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			at := doc.Body.GetToken().Position
			return nil, &SpecError{File: file, Line: at.Line, Column: at.Column, Problem: "a second document: want one scenario a file"}
		}
		root = doc.Body
	}
	if _, null := root.(*ast.NullNode); root == nil || null {
		return nil, &SpecError{File: file, Problem: "is empty: want a scenario, at least its name"}
	}
	return root, nil
}

// Set changes one field, as --set KEY=VALUE does: KEY is a field's name from the
// root, such as load.rate, and VALUE is as in a file.
func (s *Spec) Set(assignment string) error {
	const flag = "--set"
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return &SpecError{File: flag, Problem: fmt.Sprintf("%q: want KEY=VALUE, such as load.workers=64", assignment)}
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
	var node ast.Node
	if v.Kind() == reflect.String && !strings.HasPrefix(value, "\"") {
		// Text needs no quotes here: --set artifact.version=2.0 means the text 2.0.
		quoted, err := parseDocument(flag, []byte("'"+strings.ReplaceAll(value, "'", "''")+"'"))
		if err != nil {
			return &SpecError{File: flag, Field: key, Problem: fmt.Sprintf("%q: %v", value, err)}
		}
		node = quoted
	} else {
		parsed, err := parseDocument(flag, []byte(value))
		if err != nil {
			return &SpecError{File: flag, Field: key, Problem: fmt.Sprintf("%q: want a value", value)}
		}
		node = parsed
	}
	b := binder{file: flag, places: map[string]place{}}
	b.bind(node, v, key)
	for _, e := range b.errs {
		e.Line, e.Column = 0, 0 // places in a flag help nobody
	}
	return joinSpec(b.errs)
}

// YAML writes the whole scenario, defaults and all, so that Parse reads it back.
func (s Spec) YAML() ([]byte, error) { return yaml.Marshal(s) }

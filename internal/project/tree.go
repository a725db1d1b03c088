package project

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A ConfigError is one mistake in a configuration. Line, Column and Field are zero if the mistake
// concerns the file as a whole.
type ConfigError struct {
	File    string
	Line    int    // counts from 1
	Column  int    // in characters; counts from 1
	Field   string // such as benchmarks[0].count
	Problem string // what is wrong, and what is wanted
	Err     error  // the cause, or nil
}

// Error returns one line:
//
//	fleetmark.yaml:12:9: benchmarks[0].count: "ten": want a whole number from 1 to 1000
func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

const (
	maxMistakes = 20  // that are reported of one file
	maxNesting  = 100 // of lists and mappings; the parser's time grows with the square of the depth
)

// A tree is a YAML document being read. Each of its methods reads a node. If the node isn't valid,
// it records a mistake and returns the zero value.
type tree struct {
	file     string
	mistakes []*ConfigError
}

// parse returns the document's root, or nil if it is empty. Its error is a *ConfigError.
func (t *tree) parse(text []byte) (ast.Node, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the parser takes a byte order mark for part of a key
	d, mistake := yamlnode.Parse(text, "configuration", maxNesting)
	if mistake != nil {
		e := &ConfigError{File: t.file, Line: mistake.Line, Column: mistake.Column, Problem: mistake.Problem}
		if mistake.Want != "" {
			e.Problem += ": want " + mistake.Want
		}
		return nil, e
	}
	return d.Root, nil
}

// reject records a mistake at a node.
func (t *tree) reject(n ast.Node, field, format string, args ...any) {
	line, column := position(yamlnode.First(n))
	t.mistakes = append(t.mistakes, &ConfigError{
		File: t.file, Line: line, Column: column, Field: field, Problem: fmt.Sprintf(format, args...),
	})
}

// err joins the first maxMistakes mistakes, in the order of the file. It returns nil if there are
// none.
func (t *tree) err() error {
	slices.SortStableFunc(t.mistakes, func(a, b *ConfigError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var all []error
	for _, e := range t.mistakes[:min(len(t.mistakes), maxMistakes)] {
		all = append(all, e)
	}
	if more := len(t.mistakes) - len(all); more > 0 {
		all = append(all, &ConfigError{File: t.file, Problem: fmt.Sprintf("and %d more", more)})
	}
	return errors.Join(all...)
}

// position returns the line and column of a token, counted from 1, or 0, 0 for nil.
func position(t *token.Token) (line, column int) {
	if t == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// A key is a key that a mapping may have, with a function that reads its value. field is the path
// of the value from the root.
type key struct {
	name string
	read func(n ast.Node, field string)
}

// mapping reads a mapping that may have each of the keys at most once, and returns the keys that it
// has. It returns nil if n isn't a mapping.
func (t *tree) mapping(n ast.Node, field string, keys ...key) map[string]ast.Node {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	has := map[string]ast.Node{}
	want := "a mapping of " + strings.Join(names, ", ")
	isMapping := t.eachMember(n, field, want, func(name string, keyNode, value ast.Node) {
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		if i < 0 {
			t.reject(keyNode, field, "unknown key %s: want one of %s", quoted(name), strings.Join(names, ", "))
			return
		}
		has[name] = keyNode
		keys[i].read(value, yamlnode.Join(field, name))
	})
	if !isMapping {
		return nil
	}
	return has
}

// eachMember calls read for each member of a mapping, whose key must be text and occur once. It
// reports whether n is a mapping; want describes the mapping in the mistake if it isn't.
func (t *tree) eachMember(n ast.Node, field, want string, read func(name string, key, value ast.Node)) bool {
	members, ok := yamlnode.Members(n)
	if !ok {
		t.reject(n, field, "%s: want %s", kind(n), want)
		return false
	}
	seen := map[string]bool{}
	for _, m := range members {
		name, ok := m.Key.(*ast.StringNode)
		switch {
		case !ok:
			t.reject(m.Key, field, "key %s: want text", quoted(yamlnode.OneLine(m.Key.String())))
			continue
		case seen[name.Value]:
			t.reject(m.Key, yamlnode.Join(field, name.Value), "the key stands here a second time: want it once")
			continue
		}
		seen[name.Value] = true
		if _, null := m.Value.(*ast.NullNode); null {
			t.reject(m.Key, yamlnode.Join(field, name.Value), "has no value: want one, or the key left out")
			continue
		}
		read(name.Value, m.Key, m.Value)
	}
	return true
}

// list calls read for each value of a list, which must not be empty.
func (t *tree) list(n ast.Node, field string, read func(n ast.Node, field string)) {
	s, ok := n.(*ast.SequenceNode)
	switch {
	case !ok:
		t.reject(n, field, "%s: want a list", kind(n))
		return
	case len(s.Values) == 0:
		t.reject(n, field, "is an empty list: want a value, or the key left out")
		return
	}
	for i, v := range s.Values {
		read(v, field+"["+strconv.Itoa(i)+"]")
	}
}

// text reads text on one line.
func (t *tree) text(n ast.Node, field string) (string, bool) {
	s, ok := yamlnode.Text(n)
	if !ok {
		t.reject(n, field, "%s: want text; put it in quotes if that is what is meant", kind(n))
		return "", false
	}
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		t.reject(n, field, "%s: want text on one line", quoted(s))
		return "", false
	}
	return s, true
}

// scalar returns a string or a number as it was written. It reports false for any other node.
func (t *tree) scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return strings.TrimSpace(n.Value), true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// count reads a whole number from 1 to most.
func (t *tree) count(n ast.Node, field string, most int) (int, bool) {
	s, _ := t.scalar(n)
	v, err := strconv.Atoi(s)
	if _, whole := n.(*ast.IntegerNode); !whole || err != nil || v < 1 || v > most {
		t.reject(n, field, "%s: want a whole number from 1 to %d", kind(n), most)
		return 0, false
	}
	return v, true
}

// kind describes a node for a message: what it is, or the text of a scalar on one line.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "an anchor, alias or tag"
	}
	return yamlnode.Describe(n)
}

func quoted(s string) string { return strconv.Quote(yamlnode.Clip(s)) }

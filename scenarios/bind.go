package scenarios

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// binder puts a YAML document into a struct, strictly: an unknown key, a value of
// another type, a fraction where a whole number belongs are mistakes, and all of
// them are found, each with its place. goccy/go-yaml parses; its own decoder turns
// 1.5 into 1 without a word and loses the place of what UnmarshalText refuses.
type binder struct {
	file   string
	errs   []*SpecError
	places map[string]place // where each field was written
}

type place struct{ line, column int }

func (b *binder) fail(n ast.Node, field, format string, args ...any) {
	e := &SpecError{File: b.file, Field: field, Problem: fmt.Sprintf(format, args...)}
	at := placeOf(n)
	e.Line, e.Column = at.line, at.column
	b.errs = append(b.errs, e)
}

// placeOf is where a node begins. A block mapping's own token is its first colon:
// a person looks for the key.
func placeOf(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingValueNode:
		return placeOf(m.Key)
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return placeOf(m.Values[0].Key)
		}
	}
	t := n.GetToken()
	if t == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// placeOf is where a field was written, or else the nearest thing that it is part of.
func (b *binder) placeOf(field string) place {
	for {
		at, written := b.places[field]
		if written || field == "" {
			return at
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
}

// bind puts node into v; field is its name from the document's root.
func (b *binder) bind(n ast.Node, v reflect.Value, field string) {
	b.places[field] = placeOf(n)
	if v.Kind() == reflect.Pointer { // a field of which it matters whether it was written
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := scalarText(n)
		if !ok {
			b.fail(n, field, "%s: want a single value", kindOf(n))
			return
		}
		if err := text.UnmarshalText([]byte(s)); err != nil {
			b.fail(n, field, "%s", oneLine(err.Error()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.bindStruct(n, v, field)
	case reflect.String:
		s, ok := textOf(n)
		if !ok {
			b.fail(n, field, "%s: want text; put it in quotes if that is what is meant", kindOf(n))
			return
		}
		v.SetString(s)
	case reflect.Bool:
		y, ok := n.(*ast.BoolNode)
		if !ok {
			b.fail(n, field, "%s: want true or false", kindOf(n))
			return
		}
		v.SetBool(y.Value)
	case reflect.Slice:
		b.bindList(n, v, field)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		b.bindInteger(n, v, field)
	default:
		// A field of a type that no scenario has yet: a mistake in this program.
		panic("scenarios: bind: no rule for " + v.Type().String())
	}
}

func (b *binder) bindInteger(n ast.Node, v reflect.Value, field string) {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		b.fail(n, field, "%s: want a whole number", kindOf(n))
		return
	}
	// The node's own value has lost what doesn't fit; its text hasn't.
	written := i.GetToken().Value
	s := strings.ReplaceAll(written, "_", "")
	if digits := strings.TrimLeft(s, "+-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		// 8 to YAML 1.1, 10 to YAML 1.2: who wrote it meant one of them.
		b.fail(n, field, "%q: want a whole number without leading zeros; as an octal it is 0o%s", written, strings.TrimLeft(digits, "0"))
		return
	}
	var err error
	if v.Kind() == reflect.Uint64 {
		var u uint64
		if u, err = strconv.ParseUint(s, 0, 64); err == nil {
			v.SetUint(u)
		}
	} else {
		var x int64
		if x, err = strconv.ParseInt(s, 0, v.Type().Bits()); err == nil {
			v.SetInt(x)
		}
	}
	if err != nil {
		b.fail(n, field, "%s: want a whole number that fits %s", s, v.Type().Kind())
	}
}

// bindList makes v a list of what n lists; the members are named field[0] and up.
func (b *binder) bindList(n ast.Node, v reflect.Value, field string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		b.fail(n, field, "%s: want a list", kindOf(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, value := range list.Values {
		b.bind(value, v.Index(i), indexed(field, i))
	}
}

// indexed names a member of a list.
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func (b *binder) bindStruct(n ast.Node, v reflect.Value, field string) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		if one, single := n.(*ast.MappingValueNode); single {
			b.bindMember(one, v, field)
			return
		}
		b.fail(n, field, "%s: want a mapping of %s", kindOf(n), strings.Join(keysOf(v.Type()), ", "))
		return
	}
	for _, value := range m.Values {
		b.bindMember(value, v, field)
	}
}

func (b *binder) bindMember(m *ast.MappingValueNode, v reflect.Value, field string) {
	key, ok := m.Key.(*ast.StringNode)
	if !ok {
		b.fail(m.Key, field, "key %s: want one of %s", m.Key.String(), strings.Join(keysOf(v.Type()), ", "))
		return
	}
	member, ok := memberOf(v, key.Value)
	if !ok {
		keys := keysOf(v.Type())
		b.fail(m.Key, field, "unknown key %q%s; want one of %s", key.Value, didYouMean(key.Value, keys), strings.Join(keys, ", "))
		return
	}
	name := join(field, key.Value)
	if _, null := m.Value.(*ast.NullNode); null {
		b.fail(m.Key, name, "has no value: give it one, or leave the key out for the default")
		return
	}
	b.bind(m.Value, member, name)
}

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

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// textOf is what a node says that is text: plain, quoted, or a block.
func textOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// scalarText is a scalar as it was written.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return textOf(n)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// kindOf is what a node is, in the words of YAML, with its text where it is short.
func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	default:
		if s, ok := scalarText(n); ok && len(s) < 60 {
			return strconv.Quote(s)
		}
		return n.Type().String()
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

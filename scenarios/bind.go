package scenarios

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// maxText bounds the text of a value that isn't free text, for it is told in mistakes.
const maxText = 1000

var wholeForm = regexp.MustCompile(`^[+-]?[0-9][0-9_]*$`)

// binder puts YAML documents into a struct, strictly: an unknown key, a value of
// another type, a fraction where a whole number belongs are mistakes, and all of
// them are found, each with its place. goccy/go-yaml parses; its own decoder turns
// 1.5 into 1 without a word and loses the place of what UnmarshalText refuses.
type binder struct {
	mistakes
	src    *source          // that is being bound
	places map[string]place // where each field was written last
}

// place is where something was written; without a line, nowhere.
type place struct {
	src          *source
	line, column int
}

// at puts a mistake into its place.
func (p place) at(e *SpecError) *SpecError {
	if p.src == nil {
		return e
	}
	e.File = p.src.file
	if p.line > 0 {
		e.Line, e.Column = p.line, p.column
		if !isPart(e.Field, headersField) {
			e.Source = p.src.shown(p.line)
		}
	}
	return e
}

// fail notes a mistake at n, because of which the field keeps the value that it had.
func (b *binder) fail(n ast.Node, field, format string, args ...any) {
	b.unread = append(b.unread, field)
	b.say(n, field, format, args...)
}

// say notes a mistake at n that leaves the field as it should be.
func (b *binder) say(n ast.Node, field, format string, args ...any) {
	e := &SpecError{Field: field, Problem: fmt.Sprintf(format, args...)}
	if isPart(field, headersField) && strings.HasSuffix(field, ".value") {
		_, want := e.parts()
		e.Problem = "(not shown): " + want
	}
	b.add(b.src.place(n).at(e))
}

// placeOf is where to look for a mistake in a field: where it was written, or else the nearest
// thing that it is part of. Where that is no less than a section of the scenario, what the
// mistake comes of says more.
func (b *binder) placeOf(field string) place {
	for f := field; strings.ContainsAny(f, ".["); f = above(f) {
		if at, written := b.places[f]; written {
			return at
		}
	}
	section, _, _ := strings.Cut(field, ".")
	for _, f := range append(comesOf(field), section) {
		if at, written := b.places[f]; written {
			return at
		}
	}
	return b.places[""]
}

// forget drops the places of a field and all its parts, which are replaced.
func (b *binder) forget(field string) {
	for f := range b.places {
		if isPart(f, field) {
			delete(b.places, f)
		}
	}
}

// bind puts node into v; field is its name from the document's root.
func (b *binder) bind(n ast.Node, v reflect.Value, field string) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		b.fail(n, field, "anchors (&) and aliases (*) are not supported: want the value itself; a scenario that differs a little from another extends it")
		return
	case *ast.TagNode:
		b.fail(n, field, "tags (!) are not supported: want the value alone")
		return
	}
	b.places[field] = b.src.place(n)
	if v.Kind() == reflect.Pointer { // a field of which it matters whether it was written
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := yamlnode.Scalar(n)
		if !ok {
			b.fail(n, field, "%s: want a single value", yamlnode.Describe(n))
			return
		}
		if len(s) > maxText {
			b.fail(n, field, "%d characters: want a single short value", utf8.RuneCountInString(s))
			return
		}
		if err := text.UnmarshalText([]byte(s)); err != nil {
			b.fail(n, field, "%s", yamlnode.OneLine(err.Error()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.bindStruct(n, v, field)
	case reflect.String:
		s, ok := yamlnode.Text(n)
		if !ok {
			b.fail(n, field, "%s: want text; put it in quotes if that is what is meant", yamlnode.Describe(n))
			return
		}
		v.SetString(s)
	case reflect.Bool:
		y, ok := n.(*ast.BoolNode)
		if !ok {
			b.fail(n, field, "%s: want true or false", yamlnode.Describe(n))
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
	written, _ := yamlnode.Scalar(n)
	whole := wholeForm.MatchString(written)
	digits := strings.TrimLeft(written, "+-")
	_, integer := n.(*ast.IntegerNode) // which to the parser nothing is that is too large, or 08
	switch {
	case whole && quoted(n):
		b.fail(n, field, "%q: want a whole number, without the quotes", yamlnode.Clip(written))
		return
	case whole && len(digits) > 1 && digits[0] == '0':
		// 8 to YAML 1.1, 10 to YAML 1.2: who wrote it meant one of them.
		hint := ""
		if rest := strings.TrimLeft(digits, "0_"); rest != "" && !strings.ContainsAny(rest, "89") {
			hint = "; as an octal it is 0o" + yamlnode.Clip(rest)
		}
		b.fail(n, field, "%q: want a whole number without leading zeros%s", yamlnode.Clip(written), hint)
		return
	case !whole && !integer:
		b.fail(n, field, "%s: want a whole number", yamlnode.Describe(n))
		return
	}
	// The node's own value has lost what doesn't fit; its text hasn't.
	s := strings.ReplaceAll(written, "_", "")
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
		low, high := "0", strconv.FormatUint(math.MaxUint64, 10)
		if v.Kind() != reflect.Uint64 {
			low, high = strconv.Itoa(math.MinInt64), strconv.Itoa(math.MaxInt64)
		}
		b.fail(n, field, "%s: want a whole number from %s to %s", yamlnode.Clip(s), low, high)
	}
}

// bindList makes v a list of what n lists; the members are named field[0] and up.
func (b *binder) bindList(n ast.Node, v reflect.Value, field string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		b.fail(n, field, "%s: want a list", yamlnode.Describe(n))
		return
	}
	b.forget(field)
	b.places[field] = b.src.place(n)
	if len(list.Values) == 0 {
		v.SetZero() // as if it had not been written, which is how it is shown
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, value := range list.Values {
		b.bind(value, v.Index(i), indexed(field, i))
	}
}

func (b *binder) bindStruct(n ast.Node, v reflect.Value, field string) {
	values, ok := yamlnode.Members(n)
	if !ok {
		b.fail(n, field, "%s: want a mapping of %s", yamlnode.Describe(n), strings.Join(keysAt(v.Type(), field), ", "))
		return
	}
	first := map[string]ast.Node{}
	for _, m := range values {
		key, ok := m.Key.(*ast.StringNode)
		if !ok {
			b.failKey(m, v, field)
			continue
		}
		if before, twice := first[key.Value]; twice {
			b.fail(m.Key, yamlnode.Join(field, key.Value), "the key stands here a second time, after line %d: want it once", b.src.place(before).line)
			continue
		}
		first[key.Value] = m.Key
		if field == "" && key.Value == extendsKey {
			continue // it has been followed already
		}
		b.bindMember(m, key.Value, v, field)
	}
}

// failKey refuses a key that isn't text.
func (b *binder) failKey(m *ast.MappingValueNode, v reflect.Value, field string) {
	if _, merge := m.Key.(*ast.MergeKeyNode); merge {
		b.say(m.Key, field, "merge keys (<<) are not supported: want the keys themselves; a scenario that differs a little from another extends it")
		return
	}
	b.say(m.Key, field, "key %s: want one of %s", yamlnode.Clip(yamlnode.OneLine(m.Key.String())), strings.Join(keysAt(v.Type(), field), ", "))
}

func (b *binder) bindMember(m *ast.MappingValueNode, key string, v reflect.Value, field string) {
	member, ok := memberOf(v, key)
	if !ok {
		keys := keysAt(v.Type(), field)
		if meant := nearest(key, keys); meant != "" {
			b.unread = append(b.unread, yamlnode.Join(field, meant))
		}
		b.say(m.Key, field, "unknown key %q%s; want one of %s", yamlnode.Clip(key), didYouMean(key, keys), strings.Join(keys, ", "))
		return
	}
	name := yamlnode.Join(field, key)
	if null, ok := m.Value.(*ast.NullNode); ok {
		var at ast.Node = null
		if null.GetToken().Position.Offset <= m.Start.Position.Offset { // nothing is written: the parser puts it at the colon
			at = m.Key
		}
		b.fail(at, name, "has no value: want one, or the key left out for the default")
		return
	}
	b.bind(m.Value, member, name)
}

// keysAt are the keys that a mapping may have.
func keysAt(t reflect.Type, field string) []string {
	keys := keysOf(t)
	if field == "" {
		keys = append(keys, extendsKey)
	}
	return keys
}

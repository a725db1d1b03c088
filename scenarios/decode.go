package scenarios

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A decoder decodes YAML documents into a Spec by the table of fields. It is strict: an unknown
// key, a value of another type and a fraction for a whole number are mistakes. It finds all of
// them, each with its position. goccy/go-yaml only parses, because its decoder silently turns 1.5
// into 1, and loses the positions of values that UnmarshalText rejects.
type decoder struct {
	problems
	src       *source             // being decoded
	positions map[string]position // where each field was written last

	// undecoded lists the fields that could not be read. They keep the values that they had before,
	// so the checks of values must not report them.
	undecoded []string
}

// reject reports a mistake at n. The field f at path keeps its old value.
func (d *decoder) reject(n ast.Node, path string, f Field, w Wrong) {
	d.undecoded = append(d.undecoded, path)
	if f.Secret {
		w.Problem = "(not shown)"
	}
	d.reportAt(n, path, w)
}

// reportAt reports a mistake at n that has no effect on the field's value.
func (d *decoder) reportAt(n ast.Node, path string, w Wrong) {
	d.add(d.src.position(n).attach(&SpecError{Field: path, Wrong: w}))
}

// positionOf returns where to report a mistake in a field: where the field was written, or else the
// innermost mapping or list around it. If that is a whole section of the scenario, it returns
// instead the position of the first field of because that was written.
func (d *decoder) positionOf(path string, because []string) position {
	for f := path; strings.ContainsAny(f, ".["); f = parentPath(f) {
		if at, written := d.positions[f]; written {
			return at
		}
	}
	section, _, _ := strings.Cut(path, ".")
	for _, f := range append(because[:len(because):len(because)], section) {
		if at, written := d.positions[f]; written {
			return at
		}
	}
	return d.positions[""]
}

// dropPositions forgets where a field and its parts were written, since they are replaced.
func (d *decoder) dropPositions(path string) {
	for f := range d.positions {
		if isWithin(f, path) {
			delete(d.positions, f)
		}
	}
}

// decode puts what n says into v, the value of the field f at path.
func (d *decoder) decode(n ast.Node, v reflect.Value, f Field, path string) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		d.reject(n, path, f, Wrong{
			"anchors (&) and aliases (*) are not supported",
			"the value itself; a scenario that differs a little from another extends it",
		})
		return
	case *ast.TagNode:
		d.reject(n, path, f, Wrong{"tags (!) are not supported", "the value alone"})
		return
	}
	d.positions[path] = d.src.position(n)
	if v.Kind() == reflect.Pointer { // nil unless the field was written before
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	_, isMapping := yamlnode.Members(n)
	switch {
	case f.isMapping():
		d.mapping(n, v, f, path)
	case isMapping && f.form.mapping != nil:
		m := reflect.New(f.form.mapping).Elem()
		d.mapping(n, m, Field{}.withType(f.form.mapping), path)
		v.Set(reflect.ValueOf(m.Interface().(interface{ value() any }).value()))
	case f.isList():
		d.list(n, v, f, path)
	default:
		if w := f.decodeScalar(n, v); w != nil {
			d.reject(n, path, f, *w)
		}
	}
}

// list decodes the list n into v. Its members have the paths path[0], path[1] and so on.
func (d *decoder) list(n ast.Node, v reflect.Value, f Field, path string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.reject(n, path, f, Wrong{yamlnode.Describe(n), "a list"})
		return
	}
	d.dropPositions(path)
	d.positions[path] = d.src.position(n)
	if len(list.Values) == 0 {
		v.SetZero() // as if left out, which is how YAML shows it
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, value := range list.Values {
		d.decode(value, v.Index(i), f.member(), indexPath(path, i))
	}
}

// mapping decodes the mapping n into v, a struct.
func (d *decoder) mapping(n ast.Node, v reflect.Value, of Field, path string) {
	table := sections()[of.Type]
	keys := table.keys()
	if path == "" {
		keys = append(keys, extendsKey)
	}
	members, ok := yamlnode.Members(n)
	if !ok {
		d.reject(n, path, of, Wrong{yamlnode.Describe(n), "a mapping of " + strings.Join(keys, ", ")})
		return
	}
	first := map[string]ast.Node{}
	for _, m := range members {
		key, ok := m.Key.(*ast.StringNode)
		if _, merge := m.Key.(*ast.MergeKeyNode); merge {
			d.reportAt(m.Key, path, Wrong{
				"merge keys (<<) are not supported",
				"the keys themselves; a scenario that differs a little from another extends it",
			})
			continue
		}
		if !ok {
			written := yamlnode.Clip(yamlnode.OneLine(m.Key.String()))
			d.reportAt(m.Key, path, Wrong{"key " + written, "one of " + strings.Join(keys, ", ")})
			continue
		}
		f, known := table.field(key.Value)
		at := yamlnode.Join(path, key.Value)
		before, twice := first[key.Value]
		if !twice {
			first[key.Value] = m.Key
		}
		switch null, isNull := m.Value.(*ast.NullNode); {
		case twice:
			line := d.src.position(before).line
			d.reject(m.Key, at, f, Wrong{fmt.Sprintf("the key stands here a second time, after line %d", line), "it once"})
		case path == "" && key.Value == extendsKey: // baseChain has followed it
		case !known:
			if meant := closest(key.Value, keys); meant != "" {
				d.undecoded = append(d.undecoded, yamlnode.Join(path, meant))
			}
			d.reportAt(m.Key, path, *unknownKey(key.Value, keys))
		case isNull:
			var place ast.Node = null
			if null.GetToken().Position.Offset <= m.Start.Position.Offset {
				place = m.Key // the value is missing, and the parser's position is the colon
			}
			d.reject(place, at, f, Wrong{"has no value", "one, or the key left out for the default"})
		default:
			d.decode(m.Value, v.Field(f.index), f, at)
		}
	}
}

// unknownKey returns the mistake of a key that a mapping doesn't have.
func unknownKey(key string, keys []string) *Wrong {
	return &Wrong{
		"unknown key " + strconv.Quote(yamlnode.Clip(key)) + didYouMean(key, keys) + ";",
		"one of " + strings.Join(keys, ", "),
	}
}

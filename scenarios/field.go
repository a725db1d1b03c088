package scenarios

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A Field describes one key of a scenario. All code that knows a key by name reads it from the
// table of fields: files and assignments are decoded by it, values checked, flags made, and the
// JSON Schema and the reference page written.
type Field struct {
	Key  string       // in YAML and JSON
	Doc  string       // what it is, and what leaving it out means; {max} stands for the upper bound
	Type reflect.Type // its type in Go, which decides how it is written; not set in the table

	// Constraints of its value beyond those of the type. A zero value is no constraint.
	Min, Max  float64  // bounds of a number, a duration in nanoseconds or, Max alone, the length of a list
	Above     bool     // Min itself is too low
	OrZero    bool     // 0 is valid as well
	Words     []string // the valid texts, including "" if the field may be empty
	Pattern   string   // of text
	Forbidden []any    // values that match Pattern but are invalid
	Noun      string   // names a list's members in messages; empty: "of them"
	Secret    bool     // messages don't show the value

	// Want says in a message what is wanted instead of an invalid value. If it is empty, the
	// message lists the valid numbers or words. It must be set for text with a Pattern and for a
	// number with a unit, unless a rule checks them.
	Want string

	Required bool    // whether a mapping must have it, unless a base has it
	Models   []Model // the load models that use it; nil: all
	NeededBy []Model // the load models that require it
	Wants    string  // says in a message what such a model needs: "wants a rate such as 100/s"

	// Instead holds the message for a model that doesn't use the field, if the general message
	// isn't enough.
	Instead map[Model]Wrong

	ByRule          bool // a rule checks it and the fields in it
	OutsideWorkload bool // runs that differ only in it do the same work

	Example string // a value for the reference page, if the default and the type give no good one

	Flag, Usage string // the flag that sets it, without dashes, and its help; empty if there is none

	index int      // in the Go struct
	form  typeForm // of its type
}

// doc returns Doc with the upper bound in it.
func (f Field) doc() string { return strings.ReplaceAll(f.Doc, "{max}", f.upperBound()) }

// usedBy reports whether loads of a model use the field.
func (f Field) usedBy(m Model) bool { return f.Models == nil || slices.Contains(f.Models, m) }

// FlagFields returns the fields that have a flag, in order, by their paths.
func FlagFields() iter.Seq2[string, Field] {
	return func(yield func(string, Field) bool) {
		eachField(reflect.ValueOf(Default()), "", func(path string, f Field, _ reflect.Value) bool {
			return f.Flag == "" || yield(path, f)
		})
	}
}

// Workload returns the scenario without the fields that don't affect the work that it does.
func (s Spec) Workload() Spec {
	eachField(reflect.ValueOf(&s).Elem(), "", func(_ string, f Field, v reflect.Value) bool {
		if f.OutsideWorkload {
			v.SetZero()
		}
		return true
	})
	return s
}

// eachField calls do for the fields of a mapping at path and for the fields in them, but not for
// those in lists, until do returns false. It reports whether do always returned true.
func eachField(v reflect.Value, path string, do func(path string, f Field, v reflect.Value) bool) bool {
	for _, f := range sections()[v.Type()].fields {
		at, member := yamlnode.Join(path, f.Key), v.Field(f.index)
		if !do(at, f, member) || f.isMapping() && !eachField(member, at, do) {
			return false
		}
	}
	return true
}

// A section is a mapping of a scenario: a Go struct, and its fields in order.
type section struct {
	name   string // of its definition in the JSON Schema
	fields []Field
}

// sections returns the table of fields by Go struct. Mappings with the same struct share a section.
var sections = sync.OnceValue(func() map[reflect.Type]section {
	table := fieldTable()
	for t, s := range table {
		for i, f := range s.fields {
			f.index = fieldIndex(t, f.Key)
			s.fields[i] = f.withType(t.Field(f.index).Type)
		}
	}
	return table
})

// fieldIndex returns the index of the field of a Go struct that a key is for, or -1 if it has none.
func fieldIndex(t reflect.Type, key string) int {
	return slices.IndexFunc(reflect.VisibleFields(t), func(in reflect.StructField) bool {
		of, _, _ := strings.Cut(in.Tag.Get("yaml"), ",")
		return of == key
	})
}

// specField stands for a scenario as a whole.
func specField() Field { return Field{}.withType(reflect.TypeFor[Spec]()) }

// field returns the field of a key. It reports false if the section has none.
func (s section) field(key string) (Field, bool) {
	i := slices.IndexFunc(s.fields, func(f Field) bool { return f.Key == key })
	if i < 0 {
		return Field{}, false
	}
	return s.fields[i], true
}

func (s section) keys() []string {
	keys := make([]string, len(s.fields))
	for i, f := range s.fields {
		keys[i] = f.Key
	}
	return keys
}

// fieldAt returns the value at a path from v, a Spec, and its field. It copies the lists on the
// way, since other specs may share them.
func fieldAt(v reflect.Value, path string) (reflect.Value, Field, *Wrong) {
	f, done := specField(), ""
	wrong := func(problem, want string) (reflect.Value, Field, *Wrong) { return v, f, &Wrong{problem, want} }
	for part := range strings.SplitSeq(path, ".") {
		key, indices, _ := strings.Cut(part, "[")
		if !f.isMapping() {
			return wrong(done+" has no fields", "")
		}
		of, ok := sections()[f.Type], false
		if f, ok = of.field(key); !ok {
			return v, f, unknownKey(key, of.keys())
		}
		v, done = v.Field(f.index), yamlnode.Join(done, key)
		if len(key) == len(part) {
			continue
		}
		if !f.isList() {
			return wrong(done+" is no list", "it without ["+yamlnode.Clip(indices))
		}
		inside, closed := strings.CutSuffix(indices, "]")
		i, err := strconv.ParseUint(inside, 10, 31)
		if !closed || err != nil {
			return wrong(done+"["+yamlnode.Clip(indices), "a place in the list, such as "+indexPath(done, 0))
		}
		if i >= uint64(v.Len()) {
			return v, f, indexError(done, int(i), v.Len())
		}
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		v, f, done = v.Index(int(i)), f.member(), indexPath(done, int(i))
	}
	return v, f, nil
}

// indexError returns the mistake of an index i that a list of n members doesn't have.
func indexError(list string, i, n int) *Wrong {
	whole := "the whole list, " + list + "=[…]"
	missing, first := "there is no "+indexPath(list, i)+" in a list of ", indexPath(list, 0)
	switch n {
	case 0:
		return &Wrong{list + " is empty", whole}
	case 1:
		return &Wrong{missing + "one", first + ", or " + whole}
	}
	return &Wrong{missing + strconv.Itoa(n), fmt.Sprintf("%s to %s, or %s", first, indexPath(list, n-1), whole)}
}

// A path leads to a field from the root of the document, by keys and by indices in lists:
// fleet.groups[0].share.

// indexPath returns the path of a member of the list at path.
func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parentPath returns the path of the mapping or list that the field at path is in.
func parentPath(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// overlapsAny reports whether a field is one of those in list, is in one of them, or contains one.
func overlapsAny(path string, list []string) bool {
	return slices.ContainsFunc(list, func(other string) bool { return isWithin(path, other) || isWithin(other, path) })
}

// isWithin reports whether the field at path is whole or is in it.
func isWithin(path, whole string) bool {
	rest, ok := strings.CutPrefix(path, whole)
	return ok && (rest == "" || whole == "" || rest[0] == '.' || rest[0] == '[')
}

package scenarios

import (
	"reflect"
	"strconv"
	"strings"
)

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

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// related reports whether one of two fields is the other or a part of it.
func related(a, b string) bool { return isPart(a, b) || isPart(b, a) }

// isPart reports whether field is whole or something in it.
func isPart(field, whole string) bool {
	rest, ok := strings.CutPrefix(field, whole)
	return ok && (rest == "" || whole == "" || rest[0] == '.' || rest[0] == '[')
}

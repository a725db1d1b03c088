package scenarios

import (
	"cmp"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// noMin is the Min of a whole number whose lower bound a rule checks.
const noMin = -math.MaxFloat64

// withType returns the field with its type and what follows from it.
func (f Field) withType(t reflect.Type) Field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	f.Type, f.form = t, typeForms()[t]
	if f.Words == nil {
		f.Words = f.form.words
	}
	return f
}

// member returns the field that stands for the members of a list. It has no bounds.
func (f Field) member() Field { return Field{}.withType(f.Type.Elem()) }

// isMapping reports whether the field has fields of its own.
func (f Field) isMapping() bool { return f.Type.Kind() == reflect.Struct && !f.isQuantity() }

func (f Field) isList() bool { return f.Type.Kind() == reflect.Slice }

// isQuantity reports whether the field is a number with a unit, or another value that its Go type
// parses from text.
func (f Field) isQuantity() bool { return f.form.pattern != "" }

func (f Field) isText() bool { return f.Type.Kind() == reflect.String }

// Choices returns the words that the field may be, except for the empty one.
func (f Field) Choices() []string {
	return slices.DeleteFunc(slices.Clone(f.Words), func(w string) bool { return w == "" })
}

// kind returns a phrase for the field's value, such as "whole number".
func (f Field) kind() string {
	switch {
	case f.isQuantity():
		return f.form.what + " such as `" + strings.Join(f.form.examples, "` or `") + "`"
	case f.isMapping():
		return "mapping"
	case f.isList():
		return "list"
	case f.isText():
		return cmp.Or(enumerate(f.Choices(), " or "), "text")
	case f.Type.Kind() == reflect.Bool:
		return "true or false"
	}
	return "whole number"
}

// enumerate returns the words as a list in text: "a, b or c", if last is " or ".
func enumerate[T ~string](words []T, last string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(last)
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// upperBound returns the field's upper bound as text for people.
func (f Field) upperBound() string {
	if !f.isQuantity() {
		return strconv.FormatFloat(f.Max, 'f', -1, 64)
	}
	text := time.Duration(f.Max).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
	}
	return text
}

// check compares v with the field's bounds. It returns nil if a rule checks them.
func (f Field) check(v reflect.Value) *Wrong {
	outside := func(x float64) bool { return x < f.Min && !(f.OrZero && x == 0) || f.Max > 0 && x > f.Max }
	switch {
	case f.isQuantity():
		if f.Want != "" && outside(v.Convert(reflect.TypeFor[float64]()).Float()) {
			return &Wrong{fmt.Sprint(v.Interface()), f.Want}
		}
	case f.isList():
		if outside(float64(v.Len())) {
			return &Wrong{fmt.Sprintf("%d %s", v.Len(), cmp.Or(f.Noun, "of them")), fmt.Sprintf("%.0f at most", f.Max)}
		}
	case f.isText():
		valid := f.Words == nil && (f.Want == "" || regexp.MustCompile(f.Pattern).MatchString(v.String()))
		if !valid && !slices.Contains(f.Words, v.String()) {
			return &Wrong{strconv.Quote(v.String()), cmp.Or(f.Want, f.kind())}
		}
	case v.CanInt():
		if outside(float64(v.Int())) {
			return &Wrong{strconv.FormatInt(v.Int(), 10), fmt.Sprintf("%.0f to %.0f", f.Min, f.Max)}
		}
	}
	return nil
}

// maxScalarLength is the largest length of a value that isn't free text, since messages quote it.
const maxScalarLength = 1000

// decodeScalar decodes n into v, which is neither a mapping nor a list. It doesn't check bounds.
func (f Field) decodeScalar(n ast.Node, v reflect.Value) *Wrong {
	switch {
	case f.isQuantity():
		s, ok := yamlnode.Scalar(n)
		if !ok {
			return &Wrong{yamlnode.Describe(n), "a single value"}
		}
		if len(s) > maxScalarLength {
			return &Wrong{fmt.Sprintf("%d characters", utf8.RuneCountInString(s)), "a single short value"}
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			return wrongOf(err)
		}
	case f.isText():
		s, ok := yamlnode.Text(n)
		if !ok {
			return &Wrong{yamlnode.Describe(n), "text; put it in quotes if that is what is meant"}
		}
		v.SetString(s)
	case v.Kind() == reflect.Bool:
		y, ok := n.(*ast.BoolNode)
		if !ok {
			return &Wrong{yamlnode.Describe(n), f.kind()}
		}
		v.SetBool(y.Value)
	default:
		return decodeInteger(n, v)
	}
	return nil
}

var integerPattern = regexp.MustCompile(`^[+-]?[0-9][0-9_]*$`)

func decodeInteger(n ast.Node, v reflect.Value) *Wrong {
	written, _ := yamlnode.Scalar(n)
	whole := integerPattern.MatchString(written)
	digits := strings.TrimLeft(written, "+-")
	_, integer := n.(*ast.IntegerNode) // for the parser, a number that is too large, or 08, is no integer
	switch {
	case whole && yamlnode.IsQuoted(n):
		return &Wrong{strconv.Quote(yamlnode.Clip(written)), "a whole number, without the quotes"}
	case whole && len(digits) > 1 && digits[0] == '0':
		// YAML 1.1 reads 010 as 8, YAML 1.2 as 10, so either may be meant.
		hint := ""
		if rest := strings.TrimLeft(digits, "0_"); rest != "" && !strings.ContainsAny(rest, "89") {
			hint = "; as an octal it is 0o" + yamlnode.Clip(rest)
		}
		return &Wrong{strconv.Quote(yamlnode.Clip(written)), "a whole number without leading zeros" + hint}
	case !whole && !integer:
		return &Wrong{yamlnode.Describe(n), "a whole number"}
	}
	// A number that doesn't fit is truncated in the node's value, but not in its text.
	written = strings.ReplaceAll(written, "_", "")
	if v.CanUint() {
		u, err := strconv.ParseUint(written, 0, 64)
		if err != nil {
			return &Wrong{yamlnode.Clip(written), fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64))}
		}
		v.SetUint(u)
		return nil
	}
	x, err := strconv.ParseInt(written, 0, v.Type().Bits())
	if err != nil {
		return &Wrong{yamlnode.Clip(written), fmt.Sprintf("a whole number from %d to %d", math.MinInt64, math.MaxInt64)}
	}
	v.SetInt(x)
	return nil
}

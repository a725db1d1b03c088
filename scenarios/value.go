package scenarios

import (
	"cmp"
	"encoding"
	"encoding/json"
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

// A Value is the form of a field's value: how it is written and what it may be.
type Value interface {
	// String returns what the value is, such as "whole number".
	String() string
	// decode puts what n says into v, whatever its bounds. [Mapping] and [List] leave that to the
	// decoder.
	decode(n ast.Node, v reflect.Value) *Wrong
	// check compares v with the bounds, unless a rule does.
	check(v reflect.Value) *Wrong
	// schema returns the JSON Schema of the value; v is the default.
	schema(b schemaBuilder, v reflect.Value) *schema
}

// Integer is a whole number. 0 is valid whatever the bounds if OrZero is set.
type Integer struct {
	Min    int64  // noMin: a rule bounds it
	Max    uint64 // 0: a rule bounds it
	OrZero bool
}

const noMin = math.MinInt64

func (Integer) String() string { return "whole number" }

func (i Integer) check(v reflect.Value) *Wrong {
	if !v.CanInt() {
		return nil // Max is that of the type
	}
	if n := v.Int(); n < i.Min && !(n == 0 && i.OrZero) || n > 0 && uint64(n) > i.Max {
		return &Wrong{strconv.FormatInt(n, 10), fmt.Sprintf("%d to %d", i.Min, i.Max)}
	}
	return nil
}

var integerPattern = regexp.MustCompile(`^[+-]?[0-9][0-9_]*$`)

func (Integer) decode(n ast.Node, v reflect.Value) *Wrong {
	written, _ := yamlnode.Scalar(n)
	whole := integerPattern.MatchString(written)
	digits := strings.TrimLeft(written, "+-")
	_, integer := n.(*ast.IntegerNode) // which to the parser nothing is that is too large, or 08
	switch {
	case whole && yamlnode.IsQuoted(n):
		return &Wrong{strconv.Quote(yamlnode.Clip(written)), "a whole number, without the quotes"}
	case whole && len(digits) > 1 && digits[0] == '0':
		// 8 to YAML 1.1, 10 to YAML 1.2: who wrote it meant one of them.
		hint := ""
		if rest := strings.TrimLeft(digits, "0_"); rest != "" && !strings.ContainsAny(rest, "89") {
			hint = "; as an octal it is 0o" + yamlnode.Clip(rest)
		}
		return &Wrong{strconv.Quote(yamlnode.Clip(written)), "a whole number without leading zeros" + hint}
	case !whole && !integer:
		return &Wrong{yamlnode.Describe(n), "a whole number"}
	}
	// The node's own value has lost what doesn't fit; its text hasn't.
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

func (i Integer) schema(schemaBuilder, reflect.Value) *schema {
	s := &schema{Type: "integer"}
	bounds := s.orZero(i.OrZero)
	if i.Min != noMin {
		bounds.Minimum = jsonInt(i.Min)
	}
	if i.Max > 0 {
		bounds.Maximum = json.Number(strconv.FormatUint(i.Max, 10))
	}
	return s
}

// Boolean is true or false.
type Boolean struct{}

func (Boolean) String() string                              { return "true or false" }
func (Boolean) check(reflect.Value) *Wrong                  { return nil }
func (Boolean) schema(schemaBuilder, reflect.Value) *schema { return &schema{Type: "boolean"} }

func (Boolean) decode(n ast.Node, v reflect.Value) *Wrong {
	y, ok := n.(*ast.BoolNode)
	if !ok {
		return &Wrong{yamlnode.Describe(n), "true or false"}
	}
	v.SetBool(y.Value)
	return nil
}

// Text is text in one or more lines, or one of a few words.
type Text struct {
	Words     []string // nil: any text. "" is among them if the field may be left empty
	Type      string   // of the words, as the schema calls it
	Pattern   string
	Forbidden []any
	Want      string // what is wanted of text that isn't valid. Empty: one of the words, or a rule checks it
	Secret    bool   // messages don't tell it
}

// words returns the form of text that is a word of a type.
func words[T ~string](of string, values ...T) Text {
	t := Text{Type: of}
	for _, v := range values {
		t.Words = append(t.Words, string(v))
	}
	return t
}

// Choices returns the words but for the empty one.
func (t Text) Choices() []string {
	return slices.DeleteFunc(slices.Clone(t.Words), func(w string) bool { return w == "" })
}

func (t Text) String() string { return cmp.Or(enumerate(t.Choices(), " or "), "text") }

// enumerate lists words: "a, b or c".
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

func (t Text) check(v reflect.Value) *Wrong {
	valid := slices.Contains(t.Words, v.String())
	if t.Words == nil {
		valid = t.Want == "" || regexp.MustCompile(t.Pattern).MatchString(v.String())
	}
	if valid {
		return nil
	}
	return &Wrong{strconv.Quote(v.String()), cmp.Or(t.Want, t.String())}
}

func (Text) decode(n ast.Node, v reflect.Value) *Wrong {
	s, ok := yamlnode.Text(n)
	if !ok {
		return &Wrong{yamlnode.Describe(n), "text; put it in quotes if that is what is meant"}
	}
	v.SetString(s)
	return nil
}

func (t Text) schema(b schemaBuilder, _ reflect.Value) *schema {
	if t.Type != "" {
		return b.define(t.Type, func() *schema { return &schema{Enum: enumOf(t.Words...)} })
	}
	s := &schema{Type: "string", Pattern: t.Pattern, Enum: enumOf(t.Words...)}
	if t.Forbidden != nil {
		s.Not = &schema{Enum: t.Forbidden}
	}
	return s
}

// Quantity is a number with a unit, or another value that its Go type reads from text. Min and Max
// bound it, a duration in nanoseconds; they are 0 if there is no such bound, or a rule checks it.
type Quantity struct {
	form     textForm
	Min, Max float64
	Above    bool   // Min itself is too low
	OrZero   bool   // 0 is valid as well
	Want     string // what is wanted of a value that is out of bounds; empty: a rule checks it
}

func (q Quantity) String() string {
	return q.form.what + " such as `" + strings.Join(q.form.examples, "` or `") + "`"
}

func (q Quantity) check(v reflect.Value) *Wrong {
	if q.Want == "" {
		return nil
	}
	x := v.Convert(reflect.TypeFor[float64]()).Float()
	if x < q.Min && !(q.OrZero && x == 0) || q.Max > 0 && x > q.Max {
		return &Wrong{fmt.Sprint(v.Interface()), q.Want}
	}
	return nil
}

// maxScalarLength bounds the text of a value that isn't free text, since messages tell it.
const maxScalarLength = 1000

func (Quantity) decode(n ast.Node, v reflect.Value) *Wrong {
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
	return nil
}

func (q Quantity) schema(b schemaBuilder, _ reflect.Value) *schema {
	s := b.define(q.form.name, q.form.schema)
	if q.form.high == 0 {
		return s // text passes the bounds of a number
	}
	bounds, number := s.orZero(q.OrZero), func(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'g', -1, 64)) }
	switch {
	case q.Above:
		bounds.Above = number(q.Min)
	case q.Min > 0:
		bounds.Minimum = number(q.Min)
	}
	if q.Max > 0 {
		bounds.Maximum = number(q.Max)
	}
	return s
}

// List is a list of values, Max at most; 0 is no bound.
type List struct {
	Of   Value
	Max  int
	Noun string // of its members, in messages; empty: "of them"
}

func (l List) String() string                        { return "list" }
func (l List) decode(ast.Node, reflect.Value) *Wrong { return nil }

func (l List) check(v reflect.Value) *Wrong {
	if n := v.Len(); l.Max > 0 && n > l.Max {
		return &Wrong{fmt.Sprintf("%d %s", n, cmp.Or(l.Noun, "of them")), fmt.Sprintf("%d at most", l.Max)}
	}
	return nil
}

func (l List) schema(b schemaBuilder, v reflect.Value) *schema {
	s := &schema{Type: "array", Items: l.Of.schema(b, reflect.Zero(v.Type().Elem()))}
	if l.Max > 0 {
		s.MaxItems = &l.Max
	}
	return s
}

// Mapping is a part of a scenario with fields of its own, which the table has by its Go type.
type Mapping struct{}

func (Mapping) String() string                        { return "mapping" }
func (Mapping) check(reflect.Value) *Wrong            { return nil }
func (Mapping) decode(ast.Node, reflect.Value) *Wrong { return nil }

func (Mapping) schema(b schemaBuilder, v reflect.Value) *schema {
	return b.define(sections()[v.Type()].name, func() *schema { return b.object(v) })
}

// upperBound returns a value's upper bound for people, or "".
func upperBound(value Value) string {
	switch v := value.(type) {
	case Integer:
		return strconv.FormatUint(v.Max, 10)
	case List:
		return strconv.Itoa(v.Max)
	case Quantity:
		text := time.Duration(v.Max).String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
		}
		return text
	}
	return ""
}

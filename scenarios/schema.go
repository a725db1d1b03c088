package scenarios

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// schema is a JSON Schema, draft 2020-12, as far as scenarios need one.
type schema struct {
	Dialect     string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Ref         string `json:"$ref,omitempty"`

	Type    any             `json:"type,omitempty"` // the name of one, or a list of names
	Enum    []any           `json:"enum,omitempty"`
	Pattern string          `json:"pattern,omitempty"`
	Default json.RawMessage `json:"default,omitempty"`
	Example []string        `json:"examples,omitempty"`

	// Of numbers only: a text passes them.
	Minimum json.Number `json:"minimum,omitempty"`
	Above   json.Number `json:"exclusiveMinimum,omitempty"`
	Maximum json.Number `json:"maximum,omitempty"`

	Items    *schema `json:"items,omitempty"`
	MinItems int     `json:"minItems,omitempty"`
	MaxItems *int    `json:"maxItems,omitempty"`

	Properties map[string]*schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Closed     *bool              `json:"additionalProperties,omitempty"`

	AnyOf []*schema `json:"anyOf,omitempty"`
	AllOf []*schema `json:"allOf,omitempty"`
	Not   *schema   `json:"not,omitempty"`
	If    *schema   `json:"if,omitempty"`
	Then  *schema   `json:"then,omitempty"`
	Else  *schema   `json:"else,omitempty"`

	Defs map[string]*schema `json:"$defs,omitempty"`
}

// Schema is the JSON Schema (draft 2020-12) of scenario files, by which an editor completes and
// checks them. It is made of the types, of what facets says of their fields, and of the rules
// that hold between fields. What it refuses Parse refuses; Parse refuses more: a schema can't
// compare two values, and knows nothing of a base.
func Schema() ([]byte, error) {
	m := schemaMaker{facets: facets(), defs: map[string]*schema{}, of: map[string]reflect.Type{}}
	root, err := m.structure(reflect.ValueOf(Default()))
	if err != nil {
		return nil, err
	}
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Fleetmark scenario"
	root.Description = "Which fleet, which artifact, which client, which load, how often. Every key is optional but the name."
	root.Properties[extendsKey] = &schema{
		Description: "The scenario of which this is a variant: a name of the catalogue, or a file by its path from here. Mappings are put over its own key by key, everything else whole; name and description are not inherited.",
		Type:        "string",
		AnyOf:       []*schema{{Enum: texts(Names()...)}, {Pattern: `\.ya?ml$|[/\\]`}},
	}
	root.AllOf = append(root.AllOf, rules())
	root.Defs = m.defs

	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// schemaMaker makes a schema by reflection. Each named type that isn't a scenario's part of
// its own is defined once.
type schemaMaker struct {
	facets map[string]facet
	defs   map[string]*schema
	of     map[string]reflect.Type // the definitions' types, for two may share a name
}

// value is the schema of a value; what v holds is the default.
func (m *schemaMaker) value(v reflect.Value) (*schema, error) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		return m.value(reflect.Zero(t.Elem()))
	}
	if _, text := reflect.New(t).Interface().(encoding.TextUnmarshaler); text || t.Kind() == reflect.String && t != reflect.TypeFor[string]() {
		return m.defined(t, func() (*schema, error) { return textSchema(t) })
	}
	switch t.Kind() {
	case reflect.Struct:
		return m.defined(t, func() (*schema, error) { return m.structure(v) })
	case reflect.Slice:
		items, err := m.value(reflect.Zero(t.Elem()))
		return &schema{Type: "array", Items: items}, err
	case reflect.String:
		return &schema{Type: "string"}, nil
	case reflect.Bool:
		return &schema{Type: "boolean"}, nil
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return &schema{Type: "integer"}, nil
	}
	return nil, fmt.Errorf("scenarios: schema: no rule for %s", t)
}

// defined refers to the definition of a type, which is made once.
func (m *schemaMaker) defined(t reflect.Type, made func() (*schema, error)) (*schema, error) {
	name := t.Name()
	ref := &schema{Ref: "#/$defs/" + name}
	if before, ok := m.of[name]; ok {
		if before != t {
			return nil, fmt.Errorf("scenarios: schema: two types are called %s: %s and %s", name, before, t)
		}
		return ref, nil
	}
	m.of[name] = t
	s, err := made()
	m.defs[name] = s
	return ref, err
}

// structure is the schema of a mapping.
func (m *schemaMaker) structure(v reflect.Value) (*schema, error) {
	t, no := v.Type(), false
	s := &schema{Type: "object", Properties: map[string]*schema{}, Closed: &no, AllOf: typeRules(t)}
	for i := range t.NumField() {
		key := keyOf(t.Field(i))
		about, ok := m.facets[t.Name()+"."+key]
		if !ok {
			return nil, fmt.Errorf("scenarios: schema: nothing is said of %s.%s: want it in facets", t.Name(), key)
		}
		member, err := m.value(v.Field(i))
		if err != nil {
			return nil, err
		}
		about.put(member)
		s.Properties[key] = member
		if about.required {
			s.Required = append(s.Required, key)
			continue
		}
		without := member.Type == "array" || v.Field(i).Kind() == reflect.Pointer || m.isMapping(member)
		if value := v.Field(i).Interface(); !without && !about.bars(value) {
			if member.Default, err = json.Marshal(value); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (m *schemaMaker) isMapping(s *schema) bool {
	def := m.defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	return def != nil && def.Type == "object"
}

// texts are values of an enum.
func texts[T ~string](list ...T) []any {
	values := make([]any, len(list))
	for i, text := range list {
		values[i] = string(text)
	}
	return values
}

// The text forms as regular expressions, in what ECMA-262 and RE2 have in common. They know
// no bounds, and not that the lower of two numbers comes first.
const (
	decimalText  = `([0-9]+(\.[0-9]*)?|\.[0-9]+)`
	durationText = `\+?(0|(` + decimalText + `(ns|us|µs|μs|ms|s|m|h))+)`
	amountText   = `(\+?[0-9]+\s*B?|` + decimalText + `\s*(kB|MB|GB|KiB|MiB|GiB))(\s*/s)?`
	bytesText    = decimalText + `\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?`
	rateText     = decimalText + `\s*/\s*(s|min|m|h)`
	shareText    = `\+?` + decimalText + `([eE][+-]?[0-9]+)?%?`

	zeroText         = `(0+(\.0*)?|\.0+)`
	zeroRateText     = zeroText + `\s*/\s*(s|min|m|h)`
	zeroDurationText = `\+?(0|(` + zeroText + `(ns|us|µs|μs|ms|s|m|h))+)`
)

// spaced is a pattern for all of a text but space around it.
func spaced(text string) string { return `^\s*(` + text + `)\s*$` }

// distributed is a distribution of numbers of a form; empty is the zero value.
func distributed(number string) string {
	two := func(name, first, second string) string {
		return name + `\s*\(\s*` + first + number + `\s*,\s*` + second + number + `\s*\)`
	}
	return `(` + number + `|` + two("uniform", "", "") + `|` + two("lognormal", `p50=\s*`, `p99=\s*`) + `)?`
}

// thresholdText is a threshold: a metric, a comparison, a limit.
func thresholdText() string {
	var names []string
	for _, u := range results.Units() {
		names = append(names, regexp.QuoteMeta(u.Name))
	}
	part := `\s*(op=(push|verify|deliver)|min=\+?0*[1-9][0-9]*)\s*`
	return spaced(`(` + strings.Join(names, "|") + `)\s*(\{` + part + `(,` + part + `)*\})?\s*(<=|>=|==|!=|<|>)\s*[0-9.+-].*`)
}

// textSchema is the schema of a type that is one value in a file.
func textSchema(t reflect.Type) (*schema, error) {
	either := func(number string, low, high int64, text string, examples ...string) *schema {
		return &schema{
			Type: []string{"string", number}, Pattern: text, Example: examples,
			Minimum: whole(low), Maximum: whole(high),
		}
	}
	switch t {
	case reflect.TypeFor[Duration](): // 0 needs no unit
		return either("integer", 0, 0, spaced(durationText), "5s", "250ms", "1m30s"), nil
	case reflect.TypeFor[Rate]():
		return &schema{Type: "string", Pattern: spaced(rateText), Example: []string{"2000/s", "90/m"}}, nil
	case reflect.TypeFor[Bytes]():
		return either("integer", 0, int64(results.MaxBytes), spaced(bytesText), "64KiB", "10MB"), nil
	case reflect.TypeFor[mockfleet.Distribution]():
		return either("integer", 0, 0, spaced(distributed(durationText)), "5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)"), nil
	case reflect.TypeFor[mockfleet.Amount]():
		return either("integer", 0, mockfleet.MaxAmount, spaced(distributed(amountText)), "4096", "20kB/s", "uniform(1000, 50000)", "lognormal(p50=1000, p99=50000)"), nil
	case reflect.TypeFor[mockfleet.Share]():
		return either("number", 0, 1, `^`+shareText+`$`, "10%"), nil
	case reflect.TypeFor[mockfleet.RetryAfter]():
		return &schema{Type: "string", Pattern: `^(` + durationText + `|date\(` + durationText + `\))$`, Example: []string{"2s", "date(2s)"}}, nil
	case reflect.TypeFor[Threshold]():
		return &schema{Type: "string", Pattern: thresholdText(), Example: []string{"p99-ns/op{op=push} < 20ms", "failed/device == 0"}}, nil
	case reflect.TypeFor[Model]():
		return &schema{Enum: texts(models()...)}, nil
	case reflect.TypeFor[Operation]():
		return &schema{Enum: texts(Push, Verify, Deliver)}, nil
	case reflect.TypeFor[Arrivals]():
		return &schema{Enum: texts("", Even, Independently)}, nil
	case reflect.TypeFor[Defaults]():
		return &schema{Enum: texts("", Shipped)}, nil
	case reflect.TypeFor[delivery.Transport]():
		return &schema{Enum: texts(delivery.Lean, delivery.NetHTTP)}, nil
	case reflect.TypeFor[mockfleet.Addressing]():
		return &schema{Enum: texts("", mockfleet.AddressIP, mockfleet.AddressPort, mockfleet.AddressPath)}, nil
	case reflect.TypeFor[mockfleet.TLS]():
		return &schema{Enum: texts(mockfleet.TLSNone, mockfleet.TLSGood, mockfleet.TLSExpired, mockfleet.TLSWrongName, mockfleet.TLSUnknownCA, mockfleet.TLS11, mockfleet.TLSStall)}, nil
	}
	return nil, fmt.Errorf("scenarios: schema: no text form is known of %s: want it in textSchema", t)
}

func whole(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

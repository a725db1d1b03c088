package scenarios

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
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

	// Minimum and the like apply to numbers; JSON Schema accepts any text for them.
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

// Schema returns the JSON Schema (draft 2020-12) of scenario files, with which an editor completes
// and checks them. It is made from the table of fields and from the rules that a schema can
// express. Parse rejects everything that the schema rejects, and more: a schema can't compare two
// values, and doesn't see a base.
func Schema() ([]byte, error) {
	b := schemaBuilder{}
	root := b.object(reflect.ValueOf(Default()))
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Fleetmark scenario"
	root.Description = "Which fleet, which artifact, which client, which load, how often. " +
		"Every key is optional but the name."
	root.Properties[extendsKey] = &schema{
		Description: "The scenario of which this is a variant: a name of the catalog, or a file by its path from here. " +
			"Mappings are put over its own key by key, everything else whole; name and description are not inherited.",
		Type:  "string",
		AnyOf: []*schema{{Enum: enumOf(CatalogNames()...)}, {Pattern: `\.ya?ml$|[/\\]`}},
	}
	// In a variant, these rules apply to the merged scenario, which an editor doesn't see.
	speaksNoTLS := &schema{AnyOf: []*schema{{Not: &schema{Required: []string{"tls"}}}, propertyIn("tls", true, "")}}
	noTLSInGroups := property("groups", &schema{Items: property("tls", &schema{Enum: []any{""}})})
	root.AllOf = append(root.AllOf, &schema{
		If: &schema{Required: []string{extendsKey}},
		Else: &schema{Properties: map[string]*schema{
			"load":  {AllOf: modelRules()},
			"fleet": {If: speaksNoTLS, Then: noTLSInGroups},
		}},
	})
	root.Defs = b

	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// A schemaBuilder has the definitions of a schema, by name.
type schemaBuilder map[string]*schema

// define returns a reference to the definition of that name. It calls of to make the definition if
// there is none yet.
func (b schemaBuilder) define(name string, of func() *schema) *schema {
	if b[name] == nil {
		b[name] = &schema{} // ends the recursion for a mapping that contains itself
		b[name] = of()
	}
	return &schema{Ref: "#/$defs/" + name}
}

// object returns the schema of a mapping, whose defaults are in v.
func (b schemaBuilder) object(v reflect.Value) *schema {
	no := false
	s := &schema{Type: "object", Properties: map[string]*schema{}, Closed: &no}
	switch v.Type() {
	case reflect.TypeFor[FleetSpec]():
		s.AllOf = addressingRules()
	case reflect.TypeFor[fault.Fault]():
		s.AllOf = faultRules()
	}
	for _, f := range sections()[v.Type()].fields {
		value := v.Field(f.index)
		member := b.value(f, value)
		member.Description = f.doc()
		s.Properties[f.Key] = member
		switch {
		case f.isMapping(), f.isList():
		case f.Type.Kind() == reflect.Int && f.check(value) != nil: // the zero value is invalid, so the field has no default
		case f.Required:
			s.Required = append(s.Required, f.Key)
		case value.Kind() != reflect.Pointer:
			text, err := json.Marshal(value.Interface())
			if err != nil {
				panic(err) // can't happen: values of scenarios are text and numbers
			}
			member.Default = text
		}
	}
	return s
}

// value returns the schema of a field's value, which is v by default.
func (b schemaBuilder) value(f Field, v reflect.Value) *schema {
	s := &schema{}
	switch {
	case f.isMapping():
		return b.define(sections()[f.Type].name, func() *schema { return b.object(v) })
	case f.isList():
		s.Type, s.Items = "array", b.value(f.member(), reflect.Zero(f.Type.Elem()))
		if f.Max > 0 {
			s.MaxItems = new(int(f.Max))
		}
		return s
	case f.form.name != "":
		s = b.define(f.form.name, func() *schema { return b.form(f.form) })
		if f.form.high == 0 {
			return s // bounds of numbers don't apply to text
		}
	case f.isText():
		s.Type, s.Pattern, s.Enum = "string", f.Pattern, enumOf(f.Words...)
		if f.Forbidden != nil {
			s.Not = &schema{Enum: f.Forbidden}
		}
		return s
	case f.Type.Kind() == reflect.Bool:
		s.Type = "boolean"
		return s
	default:
		s.Type = "integer"
	}
	f.bound(s)
	return s
}

// form returns the schema of a type that has a form of its own.
func (b schemaBuilder) form(f typeForm) *schema {
	if f.mapping == nil {
		return f.schema()
	}
	mapping := b.define(sections()[f.mapping].name, func() *schema { return b.object(reflect.Zero(f.mapping)) })
	return &schema{AnyOf: []*schema{f.schema(), mapping}}
}

// bound adds the bounds of a number.
func (f Field) bound(s *schema) {
	if f.OrZero {
		bounds := &schema{}
		s.AnyOf = []*schema{{Enum: []any{0}}, bounds}
		s = bounds
	}
	number := func(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'f', -1, 64)) }
	switch {
	case f.Above:
		s.Above = number(f.Min)
	case f.Min > 0 || !f.isQuantity() && f.Min != noMin:
		s.Minimum = number(f.Min)
	}
	switch {
	case f.Max > 0:
		s.Maximum = number(f.Max)
	case f.Type.Kind() == reflect.Uint64:
		s.Maximum = json.Number(strconv.FormatUint(math.MaxUint64, 10)) // float64 can't represent it
	}
}

// modelRules returns, for each load model, which fields it needs and which it doesn't use.
func modelRules() (all []*schema) {
	for _, model := range models() {
		least := "1"
		if (LoadSpec{Model: model}).IsOpen() {
			least = "0" // the runner starts as many as it needs
		}
		then := property("workers", &schema{Minimum: json.Number(least)})
		if model == Rollout {
			then.Properties["operation"] = &schema{Enum: enumOf(delivery.OpDeliver)}
		}
		for _, f := range sections()[reflect.TypeFor[LoadSpec]()].fields {
			switch {
			case slices.Contains(f.NeededBy, model):
				then.Required = append(then.Required, f.Key)
				then.Properties[f.Key] = mustBeSet(f, model)
			case !f.usedBy(model):
				then.Properties[f.Key] = mustBeZero(f)
			}
		}
		all = append(all, &schema{If: propertyIn("model", model != Default().Load.Model, string(model)), Then: then})
	}
	return all
}

// mustBeSet returns the schema of a field that must not have its zero value.
func mustBeSet(f Field, model Model) *schema {
	s := &schema{}
	switch {
	case f.isQuantity():
		s.Not = mustBeZero(f)
		if f.form.number != "" {
			s.Type = "string" // this rules out the number 0
		}
	case f.isList():
		s.MinItems = 1
	case f.isMapping():
		for _, inner := range sections()[f.Type].fields {
			if slices.Contains(inner.NeededBy, model) {
				s.Required = append(s.Required, inner.Key)
			}
		}
	}
	return s
}

// mustBeZero returns the schema of a field that must have its zero value or be left out.
func mustBeZero(f Field) *schema {
	switch {
	case f.isQuantity():
		return &schema{Pattern: f.form.zero}
	case f.isText():
		return &schema{Enum: []any{""}}
	case f.isList():
		return &schema{MaxItems: new(int)}
	}
	return absent()
}

// addressingRules returns what is impossible in each mode of addressing.
func addressingRules() []*schema {
	path, port := string(address.Path), string(address.Port)
	var wantPort []string
	for _, k := range fault.Table() {
		if k.NeedsPort {
			wantPort = append(wantPort, k.Name)
		}
	}
	onePort := property("faults", &schema{Items: property("kind", &schema{Not: &schema{Enum: enumOf(wantPort...)}})})
	everyBehavior := func(s *schema) *schema {
		return &schema{Properties: map[string]*schema{"behavior": s, "groups": {Items: property("behavior", s)}}}
	}
	where := func(then *schema, addressing ...any) *schema {
		return &schema{If: propertyIn("addressing", true, addressing...), Then: then}
	}
	most := jsonInt(int64(address.Port.Capacity()))
	return []*schema{
		where(property("devices", &schema{Maximum: most}), port),
		where(everyBehavior(property("network", property("max_connections", absent()))), path),
		where(property("groups", &schema{Items: property("tls", &schema{Enum: []any{""}})}), path),
		where(everyBehavior(onePort), path, string(address.IP)),
	}
}

// faultRules returns which parameters each kind of fault takes. Kinds with the same parameters
// share a rule.
func faultRules() (all []*schema) {
	type rule struct {
		kinds []string
		like  fault.Kind
	}
	var list []rule
	for _, k := range fault.Table() {
		i := slices.IndexFunc(list, func(r rule) bool {
			low, high := r.like.Statuses()
			kindLow, kindHigh := k.Statuses()
			return r.like.Params == k.Params && r.like.Needs() == k.Needs() && low == kindLow && high == kindHigh
		})
		if i < 0 {
			list = append(list, rule{like: k})
			i = len(list) - 1
		}
		list[i].kinds = append(list[i].kinds, k.Name)
	}
	for _, r := range list {
		then := &schema{Properties: map[string]*schema{}, Required: r.like.Needs().Names()}
		takes := r.like.Params.Names()
		for _, p := range fault.ParamNames() {
			if !slices.Contains(takes, p) {
				then.Properties[p] = absent()
			}
		}
		if r.like.Params&fault.ParamStatus != 0 {
			low, high := r.like.Statuses()
			status := Field{
				Min: float64(low), Max: float64(high),
				OrZero: r.like.Needs()&fault.ParamStatus == 0,
			}.withType(reflect.TypeFor[int]())
			then.Properties["status"] = &schema{}
			status.bound(then.Properties["status"])
		}
		all = append(all, &schema{If: propertyIn("kind", true, enumOf(r.kinds...)...), Then: then})
	}
	return all
}

// absent returns a schema that no value passes.
func absent() *schema { return &schema{Not: &schema{}} }

// propertyIn returns the schema of a mapping in which key has one of the values. A mapping without
// the key passes unless wanted is set.
func propertyIn(key string, wanted bool, values ...any) *schema {
	s := property(key, &schema{Enum: values})
	if wanted {
		s.Required = []string{key}
	}
	return s
}

// property returns the schema of a mapping whose member key, if there is one, has the schema
// member.
func property(key string, member *schema) *schema {
	return &schema{Properties: map[string]*schema{key: member}}
}

// enumOf returns the values of an enum.
func enumOf[T ~string](list ...T) []any {
	var values []any
	for _, text := range list {
		values = append(values, string(text))
	}
	return values
}

func jsonInt(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

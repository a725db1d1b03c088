package scenarios

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// never is the schema of what may not be there.
func never() *schema { return &schema{Not: &schema{}} }

// has is a mapping in which a key has one of the values. Without the key it passes, unless
// that is wanted.
func has(key string, wanted bool, values ...any) *schema {
	s := &schema{Properties: map[string]*schema{key: {Enum: values}}}
	if wanted {
		s.Required = []string{key}
	}
	return s
}

// with is a mapping with these members, as far as it has them.
func with(key string, member *schema) *schema {
	return &schema{Properties: map[string]*schema{key: member}}
}

// rules hold between the sections of a scenario, and in its load. In a variant they hold of
// what comes of it and its base, which nobody knows who sees the one file.
func rules() *schema {
	speaksNoTLS := &schema{AnyOf: []*schema{{Not: &schema{Required: []string{"tls"}}}, has("tls", true, "")}}
	return &schema{
		If: &schema{Required: []string{extendsKey}},
		Else: &schema{Properties: map[string]*schema{
			"load":  {AllOf: modelRules()},
			"fleet": {If: speaksNoTLS, Then: with("groups", &schema{Items: with("tls", &schema{Enum: []any{""}})})},
		}},
	}
}

// modelRules say what each load model needs, and what it has no use for.
func modelRules() (all []*schema) {
	for _, model := range models() {
		then := &schema{Properties: map[string]*schema{}}
		load := LoadSpec{Model: model}
		for _, f := range load.modelFields() {
			if !f.used {
				key := strings.TrimPrefix(f.field, "load.")
				then.Properties[key] = unused(key)
			}
		}
		least := json.Number("1")
		if load.IsOpen() {
			least = "0" // as many as it takes
		}
		then.Properties["workers"] = &schema{Minimum: least}
		if load.endsByItself() {
			then.Properties["duration"] = unused("duration")
		}
		if model == Rolling {
			then.Properties["operation"] = &schema{Enum: texts(Deliver)}
		}
		for _, key := range needs(model) {
			then.Required = append(then.Required, key)
			then.Properties[key] = needed(key)
		}
		all = append(all, &schema{If: has("model", model != Default().Load.Model, string(model)), Then: then})
	}
	return all
}

// needs are the fields that a model can't do without.
func needs(m Model) []string {
	switch m {
	case Constant, Poisson:
		return []string{"rate"}
	case Ramped:
		return []string{"duration", "ramp"}
	case Spiked:
		return []string{"rate", "duration", "spike"}
	case Bursts:
		return []string{"burst"}
	case Staged:
		return []string{"stages"}
	case Breaking:
		return []string{"rate", "breakpoint"}
	}
	return nil
}

// unused is a field that has to have its zero value, or that may not be there.
func unused(key string) *schema {
	zero := 0
	switch key {
	case "rate":
		return &schema{Pattern: spaced(zeroRateText)}
	case "duration", "drain":
		return &schema{Pattern: spaced(zeroDurationText)}
	case "think":
		return &schema{Pattern: spaced(`(` + zeroDurationText + `)?`)}
	case "arrivals":
		return &schema{Enum: []any{""}}
	case "stages":
		return &schema{MaxItems: &zero}
	}
	return never()
}

// needed is a field that may not have its zero value.
func needed(key string) *schema {
	switch key {
	case "rate":
		return &schema{Not: &schema{Pattern: spaced(zeroRateText)}}
	case "duration":
		return &schema{Type: "string", Not: &schema{Pattern: spaced(zeroDurationText)}}
	case "stages":
		return &schema{MinItems: 1}
	case "spike":
		return &schema{Required: []string{"for"}}
	case "burst":
		return &schema{Required: []string{"size"}}
	case "breakpoint":
		return &schema{Required: []string{"to"}}
	}
	return &schema{}
}

// typeRules hold between the fields of one mapping.
func typeRules(t reflect.Type) []*schema {
	switch t {
	case reflect.TypeFor[FleetSpec]():
		return addressingRules()
	case reflect.TypeFor[mockfleet.Fault]():
		return faultRules()
	}
	return nil
}

// addressingRules say what can't be had where devices are addressed in some way.
func addressingRules() []*schema {
	path, port := string(mockfleet.AddressPath), string(mockfleet.AddressPort)
	shared := never() // what only who has a connection of his own can have
	var wantPort []string
	for _, k := range mockfleet.FaultKinds() {
		if k.NeedsPort {
			wantPort = append(wantPort, k.Name)
		}
	}
	onePort := with("faults", &schema{Items: with("kind", &schema{Not: &schema{Enum: texts(wantPort...)}})})
	everyBehavior := func(s *schema) *schema {
		return &schema{Properties: map[string]*schema{"behavior": s, "groups": {Items: with("behavior", s)}}}
	}
	return []*schema{
		{If: has("addressing", true, port), Then: with("devices", &schema{Maximum: whole(int64(mockfleet.AddressPort.Capacity()))})},
		{If: has("addressing", true, path), Then: everyBehavior(with("network", with("max_connections", shared)))},
		{If: has("addressing", true, path), Then: with("groups", &schema{Items: with("tls", &schema{Enum: []any{""}})})},
		{If: has("addressing", true, path, string(mockfleet.AddressIP)), Then: everyBehavior(onePort)},
	}
}

// faultRules say what each kind of fault takes. Kinds that take the same share a rule.
func faultRules() (all []*schema) {
	type rule struct {
		kinds []string
		like  mockfleet.FaultKind
	}
	var list []rule
	for _, k := range mockfleet.FaultKinds() {
		i := slices.IndexFunc(list, func(r rule) bool {
			return slices.Equal(r.like.Takes, k.Takes) && slices.Equal(r.like.Needs, k.Needs) && r.like.LowStatus == k.LowStatus && r.like.TopStatus == k.TopStatus
		})
		if i < 0 {
			list = append(list, rule{like: k})
			i = len(list) - 1
		}
		list[i].kinds = append(list[i].kinds, k.Name)
	}
	for _, r := range list {
		then := &schema{Properties: map[string]*schema{}, Required: r.like.Needs}
		for _, p := range mockfleet.FaultParameters() {
			if !slices.Contains(r.like.Takes, p) {
				then.Properties[p] = never()
			}
		}
		if slices.Contains(r.like.Takes, "status") {
			then.Properties["status"] = facet{low: whole(int64(r.like.LowStatus)), high: whole(int64(r.like.TopStatus)), orZero: !slices.Contains(r.like.Needs, "status")}.put(&schema{})
		}
		all = append(all, &schema{If: has("kind", true, texts(r.kinds...)...), Then: then})
	}
	return all
}

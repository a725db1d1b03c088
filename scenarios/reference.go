package scenarios

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// Reference returns the reference of the fields of scenario files as Markdown: a table of fields for
// each mapping. Headings are of level 2.
func Reference() string {
	var p page
	p.section(reflect.ValueOf(Default()), "")
	var b strings.Builder
	for _, s := range p.sections {
		b.WriteString("## " + strings.Join(s.titles, ", ") + "\n\n" + s.table + "\n")
	}
	return b.String()
}

// A page collects the tables of a reference page. Mappings of the same kind share one.
type page struct{ sections []*pageSection }

type pageSection struct {
	of     reflect.Type
	titles []string
	table  string
}

// section adds the mapping at a path, whose defaults are in v, and the mappings in it.
func (p *page) section(v reflect.Value, path string) {
	title := "The scenario"
	if path != "" {
		title = markdown.Code(path)
	}
	if i := slices.IndexFunc(p.sections, func(s *pageSection) bool { return s.of == v.Type() }); i >= 0 {
		p.sections[i].titles = append(p.sections[i].titles, title)
		return
	}
	s := &pageSection{of: v.Type(), titles: []string{title}}
	p.sections = append(p.sections, s)
	fields := sections()[v.Type()].fields
	byModel := slices.ContainsFunc(fields, func(f Field) bool { return f.Models != nil })
	head, rule := "| key | value | left out | example | what it is |", "|---|---|---|---|---|"
	if byModel {
		head, rule = head+" models |", rule+"---|"
	}
	s.table = head + "\n" + rule + "\n"
	for _, f := range fields {
		member := v.Field(f.index)
		s.table += fmt.Sprintf("| %s | %s | %s | %s | %s |", markdown.Code(f.Key), typeName(f), leftOut(f, member),
			code(f.examples(member)...), markdown.Escape(f.doc()))
		if byModel {
			s.table += " " + modelsOf(f) + " |"
		}
		s.table += "\n"
	}
	for _, f := range fields {
		at := yamlnode.Join(path, f.Key)
		if f.isMapping() {
			p.section(v.Field(f.index), at)
		} else if f.isList() && f.member().isMapping() {
			p.section(reflect.Zero(f.Type.Elem()), at+"[]")
		} else if f.isList() && f.member().form.mapping != nil {
			p.section(reflect.Zero(f.member().form.mapping), at+"[]")
		}
	}
}

// typeName returns the kind of a field's values.
func typeName(f Field) string {
	if f.isQuantity() {
		return strings.TrimSuffix(f.form.what, ",")
	}
	return f.kind()
}

// code returns values as Markdown code.
func code(values ...string) string {
	for i, v := range values {
		values[i] = markdown.Code(v)
	}
	return strings.Join(values, " or ")
}

// examples returns values of a field as they are written in a file. They differ from its value if
// it is left out, v. A mapping has no examples.
func (f Field) examples(v reflect.Value) []string {
	switch choices := f.Choices(); {
	case f.Example != "":
		return []string{f.Example}
	case f.isQuantity():
		return slices.Clone(f.form.examples)
	case len(choices) > 0:
		return choices[:1]
	case f.Type.Kind() == reflect.Bool:
		return []string{"true"}
	case v.CanInt() && v.Int() > 0:
		return []string{strconv.FormatInt(v.Int(), 10)}
	}
	return nil
}

// leftOut returns the value of a field that is left out, as the page shows it.
func leftOut(f Field, v reflect.Value) string {
	if f.Required {
		return "not possible"
	}
	if v.Kind() == reflect.Pointer || isZero(v) && v.Kind() != reflect.Int || f.isMapping() {
		return ""
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return ""
	}
	return code(strings.Trim(string(text), `"`))
}

// modelsOf returns the load models that use a field. Those that need it are bold.
func modelsOf(f Field) string {
	if f.Models == nil {
		return "all"
	}
	var all []string
	for _, m := range f.Models {
		name := markdown.Code(string(m))
		if slices.Contains(f.NeededBy, m) {
			name = "**" + name + "**"
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

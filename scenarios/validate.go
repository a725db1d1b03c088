package scenarios

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A finding is a mistake in the values of a scenario, without a position.
type finding struct {
	Wrong
	path    string
	because []string // fields that it follows from; if the field itself isn't written, the first of them that is gives the position
}

// Validate returns an error that joins a *SpecError for each mistake.
func (s Spec) Validate() error {
	var all []*SpecError
	for _, f := range s.check(nil) {
		all = append(all, &SpecError{Origin: InCode, Field: f.path, Wrong: f.Wrong})
	}
	return joinProblems(all)
}

// check compares the values of a scenario with the table of fields, and then with the rules. It
// doesn't report mistakes that may only follow from a field in undecoded, which couldn't be read
// and doesn't have the value that was meant.
func (s Spec) check(undecoded []string) []finding {
	c := checker{load: s.Load, undecoded: undecoded}
	c.section(reflect.ValueOf(s), "", nil)
	for _, r := range rules() {
		because := r.fields
		if r.models != nil {
			because = append([]string{"load.model"}, because...)
		}
		holds := r.models == nil || slices.Contains(r.models, s.Load.Model)
		if holds && !slices.ContainsFunc(because, func(path string) bool { return path != r.fields[0] && c.doubts(path) }) {
			r.check(&s, func(path, problem, want string) { c.report(path, Wrong{problem, want}, because) })
		}
	}
	return c.found
}

type checker struct {
	load      LoadSpec
	undecoded []string
	bad       []string // fields whose own value is wrong
	found     []finding
}

// doubts reports whether a rule can't rely on the value of a field.
func (c *checker) doubts(path string) bool {
	return overlapsAny(path, c.undecoded) || slices.ContainsFunc(c.bad, func(b string) bool { return isWithin(path, b) })
}

func (c *checker) report(path string, w Wrong, because []string) {
	if !overlapsAny(path, c.undecoded) {
		c.found = append(c.found, finding{w, path, because})
	}
}

// section checks the fields of a mapping.
func (c *checker) section(v reflect.Value, path string, because []string) {
	for _, f := range sections()[v.Type()].fields {
		member, at, because := v.Field(f.index), yamlnode.Join(path, f.Key), because
		if f.Models != nil {
			because = []string{"load.model"}
			c.model(f, member, at, because)
		}
		if f.ByRule {
			continue
		}
		if w := f.check(member); w != nil {
			c.bad = append(c.bad, at)
			c.report(at, *w, because)
		}
		if !f.usedBy(c.load.Model) {
			continue
		}
		if f.isMapping() {
			c.section(member, at, because)
		} else if f.isList() && f.member().isMapping() {
			for i := range member.Len() {
				c.section(member.Index(i), indexPath(at, i), because)
			}
		}
	}
}

// model checks that the load's model uses each field that is set, and that each field it needs is
// set.
func (c *checker) model(f Field, v reflect.Value, path string, because []string) {
	model := c.load.Model
	if !model.valid() || c.doubts("load.model") {
		return
	}
	value := fmt.Sprint(v.Interface()) + ": "
	if f.isMapping() || f.isList() {
		value = ""
	}
	switch used, set := f.usedBy(model), !isZero(v); {
	case used && !set && f.Wants != "" && slices.Contains(f.NeededBy, model):
		c.report(path, Wrong{fmt.Sprintf("%sthe %s model %s", value, model, f.Wants), ""}, because)
	case !used && set:
		w, ok := f.Instead[model]
		if !ok {
			w.Problem = fmt.Sprintf("the %s model has no use for it; it is for %s", model, enumerate(f.Models, " and "))
		}
		c.report(path, Wrong{value + w.Problem, w.Want}, because)
	}
}

// isZero reports whether a value is the same as if it were left out.
func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A variant is a scenario that extends another: it says `extends: BASE` and what differs. Its
// keys are put over the base's, mappings key by key, everything else whole. Name and
// description are its own, for results are kept by name.

const (
	extendsKey = "extends"
	maxBases   = 8 // one upon another
)

// chain is src and what it extends, each before its base, as far as they can be read; the
// mistake is why it is no further.
func chain(src *source) ([]*source, *SpecError) {
	all := []*source{src}
	for {
		last := all[len(all)-1]
		n := last.extends()
		if n == nil {
			return all, nil
		}
		wrong := func(format string, args ...any) *SpecError {
			return last.place(n).at(&SpecError{Field: extendsKey, Problem: fmt.Sprintf(format, args...)})
		}
		ref, ok := yamlnode.Text(n)
		if !ok || ref == "" {
			return all, wrong("%s: want %s", yamlnode.Describe(n), baseForms())
		}
		if len(all) > maxBases {
			return all, wrong("%q: would be the %dth base, one upon another: want %d at most", yamlnode.Clip(ref), maxBases+1, maxBases)
		}
		base, err := last.base(ref)
		if err != nil {
			if mistake, ok := errors.AsType[*SpecError](err); ok {
				return all, mistake
			}
			return all, wrong("%q: %s", yamlnode.Clip(ref), err)
		}
		if i := slices.IndexFunc(all, func(s *source) bool { return s.id() == base.id() }); i >= 0 {
			var circle []string
			for _, s := range append(all[i:], base) {
				circle = append(circle, s.file)
			}
			return all, wrong("%q: goes in a circle, %s: want a base that extends none of these", yamlnode.Clip(ref), strings.Join(circle, " to "))
		}
		all = append(all, base)
	}
}

// extends is the node that names the base, or nil.
func (src *source) extends() ast.Node { return src.find(extendsKey) }

// find is the value that the keys lead to, or nil.
func (src *source) find(keys ...string) ast.Node {
	n := src.root
	for _, key := range keys {
		members, _ := yamlnode.Members(n)
		i := slices.IndexFunc(members, func(m *ast.MappingValueNode) bool {
			k, ok := m.Key.(*ast.StringNode)
			return ok && k.Value == key
		})
		if i < 0 {
			return nil
		}
		n = members[i].Value
	}
	return n
}

// base reads what a scenario extends. Its error is a *SpecError where that can be read and is wrong.
func (src *source) base(ref string) (*source, error) {
	if !isFile(ref) {
		base, err := catalogued(ref)
		if err != nil {
			return nil, fmt.Errorf("no such scenario%s; want %s", didYouMean(ref, Names()), baseForms())
		}
		return base, nil
	}
	if src.catalogued {
		return nil, errors.New("a file: want a name of the catalogue, which holds no other files")
	}
	path := filepath.FromSlash(ref)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(src.file), path)
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("%w: want %s", WithoutPath(err), baseForms())
	case !info.Mode().IsRegular(): // reading a pipe might wait for ever
		return nil, fmt.Errorf("no regular file: want %s", baseForms())
	}
	text, err := readSpecFile(path)
	if usage, ok := errors.AsType[*UsageError](err); ok {
		return nil, fmt.Errorf("%w: want %s", usage.Err, baseForms())
	}
	if err != nil {
		return nil, err
	}
	return newSource(path, text)
}

func baseForms() string {
	return "one of " + strings.Join(Names(), ", ") + ", or a file FILE.yaml, by its path from here"
}

// id tells a source from others, whatever path led to it.
func (src *source) id() string {
	if src.catalogued {
		return src.file
	}
	path, err := filepath.Abs(src.file)
	if err != nil { // the working directory is gone
		return src.file
	}
	return path
}

// ready makes what the base said ready to have the variant put over it: without what is not
// inherited, and without what a load of another model has no use for.
func (b *binder) ready(s *Spec, variant *source) {
	s.Name, s.Description = "", ""
	b.forget("name")
	b.forget("description")
	n := variant.find("load", "model")
	if n == nil {
		return
	}
	model, _ := yamlnode.Text(n)
	was := reflect.ValueOf(s.Load)
	s.Load = s.Load.For(Model(model))
	is := reflect.ValueOf(s.Load)
	for i := range is.NumField() {
		if is.Field(i).IsZero() && !was.Field(i).IsZero() {
			b.forget(yamlnode.Join("load", keyOf(is.Type().Field(i))))
		}
	}
}

// checkOwnName reports a variant that has no name of its own; told is that it did.
func (b *binder) checkOwnName(s *Spec, sources []*source, names []string) (told bool) {
	if len(sources) == 1 || b.doubts("name") {
		return false
	}
	wrong := func(at place, format string, args ...any) {
		b.add(at.at(&SpecError{Field: "name", Problem: fmt.Sprintf(format, args...)}))
		told = true
	}
	switch {
	case s.Name == "":
		wrong(sources[0].place(sources[0].extends()), "is not inherited: want one of its own, 1 to 64 lower-case letters, digits and dashes")
	case slices.Contains(names, s.Name):
		wrong(b.placeOf("name"), "%q: is that of its base: want one of its own", s.Name)
	}
	return told
}

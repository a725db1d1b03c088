package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// A variant is a scenario that extends another: it has the key extends and the fields that differ.
// Mappings are merged with the base's key by key; any other value replaces the base's. The name and
// the description aren't inherited, since results are kept by name.

const (
	extendsKey = "extends"
	maxBases   = 8 // in one chain
)

// baseChain returns src, the scenario that it extends, the one that this extends, and so on, as far
// as they can be read. The mistake says why the chain ends early; it is nil if it doesn't.
func baseChain(src *source) ([]*source, *SpecError) {
	all := []*source{src}
	for {
		last := all[len(all)-1]
		n := last.extends()
		if n == nil {
			return all, nil
		}
		wrong := func(problem, want string) *SpecError {
			return last.position(n).attach(&SpecError{Field: extendsKey, Wrong: Wrong{problem, want}})
		}
		ref, ok := yamlnode.Text(n)
		if !ok || ref == "" {
			return all, wrong(yamlnode.Describe(n), baseSyntax())
		}
		quoted := strconv.Quote(yamlnode.Clip(ref)) + ": "
		if len(all) > maxBases {
			problem := fmt.Sprintf("%swould be the %dth base, one upon another", quoted, maxBases+1)
			return all, wrong(problem, fmt.Sprintf("%d at most", maxBases))
		}
		base, err := last.openBase(ref)
		if err != nil {
			if mistake, ok := errors.AsType[*SpecError](err); ok {
				return all, mistake
			}
			w := wrongOf(err)
			return all, wrong(quoted+w.Problem, w.Want)
		}
		if i := slices.IndexFunc(all, func(s *source) bool { return s.identity() == base.identity() }); i >= 0 {
			var circle []string
			for _, s := range append(all[i:], base) {
				circle = append(circle, s.file)
			}
			return all, wrong(quoted+"goes in a circle, "+strings.Join(circle, " to "), "a base that extends none of these")
		}
		all = append(all, base)
	}
}

// extends returns the node that names the base, or nil.
func (src *source) extends() ast.Node { return src.find(extendsKey) }

// find returns the value that the keys lead to, or nil.
func (src *source) find(keys ...string) ast.Node {
	n := src.Root
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

// openBase reads the scenario that ref names. Its error is a *SpecError if the file can be read and
// is wrong.
func (src *source) openBase(ref string) (*source, error) {
	if !isPath(ref) {
		base, err := openCatalog(ref)
		if err != nil {
			return nil, &Wrong{"no such scenario" + didYouMean(ref, CatalogNames()) + ";", baseSyntax()}
		}
		return base, nil
	}
	if src.fromCatalog {
		return nil, &Wrong{"a file", "a name of the catalog, which holds no other files"}
	}
	path := filepath.FromSlash(ref)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(src.file), path)
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, &Wrong{WithoutPath(err).Error(), baseSyntax()}
	case !info.Mode().IsRegular(): // reading a pipe might never end
		return nil, &Wrong{"no regular file", baseSyntax()}
	}
	text, err := readSpecFile(path)
	if e, ok := errors.AsType[*SpecError](err); ok && e.Err != nil {
		return nil, &Wrong{e.Problem, baseSyntax()}
	}
	if err != nil {
		return nil, err
	}
	return newSource(path, text)
}

func baseSyntax() string {
	return "one of " + strings.Join(CatalogNames(), ", ") + ", or a file FILE.yaml, by its path from here"
}

// identity returns a text that is the same for two paths to the same file, and different otherwise.
func (src *source) identity() string {
	if src.fromCatalog {
		return src.file
	}
	path, err := filepath.Abs(src.file)
	if err != nil { // the working directory is gone
		return src.file
	}
	return path
}

// prepareForVariant changes the spec of a base before a variant is decoded over it: it removes what
// isn't inherited, and what the variant's load model doesn't use.
func (d *decoder) prepareForVariant(s *Spec, variant *source) {
	s.Name, s.Description = "", ""
	d.dropPositions("name")
	d.dropPositions("description")
	if variant.find("client", "service") != nil {
		s.becomeService()
		d.dropPositions("client")
		d.dropPositions("load")
	}
	n := variant.find("load", "model")
	if n == nil {
		return
	}
	model, _ := yamlnode.Text(n)
	before := reflect.ValueOf(s.Load)
	s.Load = s.Load.ForModel(Model(model))
	after := reflect.ValueOf(s.Load)
	for _, f := range sections()[after.Type()].fields {
		if after.Field(f.index).IsZero() && !before.Field(f.index).IsZero() {
			d.dropPositions("load." + f.Key)
		}
	}
}

// checkVariantName reports a variant that has no name of its own. It returns true if it reported a
// mistake.
func (d *decoder) checkVariantName(s *Spec, sources []*source, names []string) (reported bool) {
	var w Wrong
	at := d.positionOf("name", nil)
	switch {
	case len(sources) == 1, overlapsAny("name", d.undecoded):
		return false
	case s.Name == "":
		at = sources[0].position(sources[0].extends())
		w = Wrong{"is not inherited", "one of its own, 1 to 64 lower-case letters, digits and dashes"}
	case slices.Contains(names, s.Name):
		w = Wrong{strconv.Quote(s.Name) + ": is that of its base", "one of its own"}
	default:
		return false
	}
	d.add(at.attach(&SpecError{Field: "name", Wrong: w}))
	return true
}

package docpage

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Source holds the declarations of a package, with their comments.
type Source struct {
	// Foreign maps types of other packages, and type parameters, to what they are in JSON, such as
	// "string" for "delivery.Op". Any other type of another package is an object.
	Foreign map[string]string

	types     map[string]*ast.TypeSpec
	constants []*ast.GenDecl
}

// ReadSource reads the package in a directory, without its tests.
func ReadSource(t testing.TB, dir string) *Source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	s := &Source{types: map[string]*ast.TypeSpec{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			if decl.Tok == token.CONST {
				s.constants = append(s.constants, decl)
			}
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					s.types[spec.Name.Name] = spec
				}
			}
		}
	}
	require.NotEmpty(t, s.types, dir)
	return s
}

// A Field is a field of a struct.
type Field struct {
	Name string // of the member in JSON, or of the field if it has no tag
	Type string // in the words of JSON
	Doc  string // Markdown
}

// Fields returns the fields of a struct that its JSON has, each with its comment. They include the
// fields of embedded structs, except for structs of other packages.
func (s *Source) Fields(t testing.TB, name string) []Field {
	t.Helper()
	spec := s.types[name]
	require.NotNil(t, spec, "there is no type %s", name)
	structure, ok := spec.Type.(*ast.StructType)
	require.True(t, ok, "%s is no struct", name)
	var fields []Field
	members := map[string]string{} // by the name in Go
	for _, f := range structure.Fields.List {
		key := ""
		if f.Tag != nil {
			tag, err := strconv.Unquote(f.Tag.Value)
			require.NoError(t, err)
			key, _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		}
		if key == "-" || len(f.Names) > 0 && !f.Names[0].IsExported() {
			continue
		}
		if len(f.Names) == 0 {
			if embedded, ok := f.Type.(*ast.Ident); ok && s.isStruct(embedded.Name) {
				fields = append(fields, s.Fields(t, embedded.Name)...)
			}
			continue
		}
		doc := f.Doc.Text()
		if doc == "" {
			doc = f.Comment.Text()
		}
		for _, n := range f.Names {
			member := key
			if member == "" {
				member = n.Name
			}
			members[n.Name] = member
			fields = append(fields, Field{Name: member, Type: s.jsonType(f.Type), Doc: doc})
		}
	}
	for i, f := range fields {
		fields[i].Doc = withoutSubject(markdownOf(f.Doc, members), "`"+f.Name+"` ")
	}
	return fields
}

func (s *Source) isStruct(name string) bool {
	spec := s.types[name]
	if spec == nil {
		return false
	}
	_, ok := spec.Type.(*ast.StructType)
	return ok
}

// withoutSubject returns a comment without its first words, which repeat the name of the field: "x
// is how long it takes" becomes "how long it takes", and "x bounds it" "bounds it".
func withoutSubject(doc, subject string) string {
	rest, ok := strings.CutPrefix(doc, subject)
	if !ok {
		return doc
	}
	for _, verb := range []string{"is ", "reports ", "counts "} {
		if object, ok := strings.CutPrefix(rest, verb); ok {
			return object
		}
	}
	if strings.HasPrefix(rest, "and ") { // of several fields
		return doc
	}
	return rest
}

// FieldTable returns a table of the fields of a struct.
func (s *Source) FieldTable(t testing.TB, name string) string {
	t.Helper()
	var rows [][]string
	for _, f := range s.Fields(t, name) {
		rows = append(rows, []string{"`" + f.Name + "`", f.Type, f.Doc})
	}
	return Table([]string{"field", "type", "what it is"}, rows)
}

// StructTable returns a table of the exported fields of a struct as Go has them.
func (s *Source) StructTable(t testing.TB, name string) string {
	t.Helper()
	require.True(t, s.isStruct(name), "%s is no struct", name)
	var rows [][]string
	for _, f := range s.types[name].Type.(*ast.StructType).Fields.List {
		doc := f.Doc.Text()
		if doc == "" {
			doc = f.Comment.Text()
		}
		var cell []string
		for _, n := range f.Names {
			if n.IsExported() {
				cell = append(cell, "`"+n.Name+"`")
			}
		}
		if len(cell) > 0 {
			rows = append(rows, []string{strings.Join(cell, ", "), "`" + types.ExprString(f.Type) + "`", doc})
		}
	}
	for _, row := range rows {
		row[2] = withoutSubject(inline(row[2]), strings.Trim(row[0], "`")+" ")
	}
	return Table([]string{"field", "type", "what it is"}, rows)
}

// jsonType returns what a type is in JSON.
func (s *Source) jsonType(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return s.jsonType(of.X)
	case *ast.ArrayType:
		return "list of " + plural(s.jsonType(of.Elt))
	case *ast.SelectorExpr:
		name := fmt.Sprint(of.X, ".", of.Sel)
		if kind := s.Foreign[name]; kind != "" {
			return kind
		}
		switch name {
		case "time.Time":
			return "time (RFC 3339)"
		case "time.Duration": // in nanoseconds
			return "number"
		}
	case *ast.Ident:
		if spec := s.types[of.Name]; spec != nil {
			return s.jsonType(spec.Type)
		}
		switch kind := s.Foreign[of.Name]; {
		case kind != "":
			return kind
		case of.Name == "bool":
			return "boolean"
		case of.Name == "string":
			return "string"
		case strings.Contains(of.Name, "int") || strings.HasPrefix(of.Name, "float"):
			return "number"
		}
	}
	return "object"
}

func plural(what string) string {
	if strings.HasPrefix(what, "list of ") {
		return "lists of " + what[len("list of "):]
	}
	return what + "s"
}

// A Constant is a constant of a named type with a string for its value.
type Constant struct {
	Value string
	Doc   string // Markdown
	Group string // Markdown: the comment above its group of constants
}

// Constants returns the constants of a type, in the order in which they are declared.
func (s *Source) Constants(t testing.TB, typeName string) []Constant {
	t.Helper()
	var list []Constant
	values := map[string]string{}
	for _, decl := range s.constants {
		group := decl.Doc.Text()
		for _, spec := range decl.Specs {
			spec := spec.(*ast.ValueSpec)
			if named, ok := spec.Type.(*ast.Ident); !ok || named.Name != typeName {
				continue
			}
			if above := spec.Doc.Text(); above != "" {
				group = above
			}
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values[spec.Names[0].Name] = value
			list = append(list, Constant{Value: value, Doc: spec.Comment.Text(), Group: group})
		}
	}
	require.NotEmpty(t, list, "there is no constant of type %s", typeName)
	for i := range list {
		list[i].Doc, list[i].Group = markdownOf(list[i].Doc, values), markdownOf(list[i].Group, values)
	}
	return list
}

var (
	word = regexp.MustCompile(`\b[A-Z]\w*\b`)
	null = regexp.MustCompile(`\bnil\b`)
	link = regexp.MustCompile(`\[([\w.*]+)\]`)
)

// markdownOf returns a comment as Markdown on one line that is safe in a table. It replaces names
// of Go by those in names, and "nil" by "absent".
func markdownOf(comment string, names map[string]string) string {
	text := null.ReplaceAllString(link.ReplaceAllString(comment, "$1"), "absent")
	text = word.ReplaceAllStringFunc(text, func(w string) string {
		if name, ok := names[w]; ok {
			return "`" + name + "`"
		}
		return w
	})
	return inline(text)
}

// inline returns a comment on one line that is safe in a table, and links in it as their text.
func inline(comment string) string {
	text := link.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "$1")
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(text)
}

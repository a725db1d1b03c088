package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// constantMakers returns the functions whose results a package variable may hold: errors to compare
// with, patterns, strings, and what is computed once.
func constantMakers() []string {
	return []string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.Repeat", "sync.OnceValue"}
}

// processWide returns the package variables that may hold state, each with the reason.
func processWide() map[string]string {
	return map[string]string{
		"profiles/capture.capturing": "the runtime has one set of profilers a process",
		"profiles/view.rendering":    "pprof's driver has one set of options a process",
	}
}

// TestNothingIsGlobal checks that no code has an init function or a package variable that can
// change. A variable may hold a table if nothing is ever assigned to it or to a part of it.
func TestNothingIsGlobal(t *testing.T) {
	root := repository(t)
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
		"*.go").Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	packages := map[string][]*ast.File{}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, but not yet committed
		}
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution|parser.ParseComments)
		require.NoError(t, err)
		dir := filepath.ToSlash(filepath.Dir(name))
		packages[dir] = append(packages[dir], file)
	}
	require.Greater(t, len(packages), 8)
	seen := 0
	for dir, files := range packages {
		assigned := assignedNames(files)
		for _, file := range files {
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok {
					require.False(t, f.Recv == nil && f.Name.Name == "init", "%s has an init: do its work where it is needed", dir)
				}
				g, ok := decl.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						seen++
						if _, ok := processWide()[dir+"."+name.Name]; ok || name.Name == "_" {
							continue
						}
						require.Truef(t, (embedded(g.Doc) || embedded(v.Doc) || unchanging(v, i)) && !assigned[name.Name],
							"%s.%s is a package variable that can change: pass it as an argument, "+
								"or say in processWide why there is one a process", dir, name.Name)
					}
				}
			}
		}
	}
	require.Greater(t, seen, 30, "this test finds hardly any variables: it is broken")
}

// embedded reports whether the variable with this comment holds an embedded file.
func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List,
		func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// unchanging reports whether the value that a variable begins with can be constant.
func unchanging(v *ast.ValueSpec, i int) bool {
	if i >= len(v.Values) {
		return false
	}
	switch e := v.Values[i].(type) {
	case *ast.CallExpr:
		switch f := e.Fun.(type) {
		case *ast.SelectorExpr:
			pkg, ok := f.X.(*ast.Ident)
			return ok && slices.Contains(constantMakers(), pkg.Name+"."+f.Sel.Name)
		case *ast.ArrayType: // []byte("…")
			return true
		}
	case *ast.SelectorExpr:
		return e.Sel.Name == v.Names[i].Name // an error of a package below, under its name: it is held to the same there
	case *ast.UnaryExpr, *ast.CompositeLit:
		return true // a table or an error, unless assignedNames finds an assignment
	}
	return false
}

// assignedNames returns the names that are assigned to, whole or in part, or whose address is
// taken. It doesn't tell a local variable from a package variable of the same name.
func assignedNames(files []*ast.File) map[string]bool {
	all := map[string]bool{}
	note := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.Ident:
				all[x.Name] = true
				return
			default:
				return
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch s := n.(type) {
			case *ast.AssignStmt:
				for _, e := range s.Lhs {
					if s.Tok != token.DEFINE {
						note(e)
					}
				}
			case *ast.IncDecStmt:
				note(s.X)
			case *ast.UnaryExpr:
				if s.Op == token.AND {
					note(s.X)
				}
			}
			return true
		})
	}
	return all
}

package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWalkNamesWhatExists checks that docs/design.md leads from a scenario's file to the exit code
// in 15 steps at most, and that each step names functions that exist.
func TestWalkNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "design.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## A scenario, from its file to the exit code\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	steps := regexp.MustCompile(`(?m)^\d+\. .*$`).FindAllString(section, -1)
	require.NotEmpty(t, steps)
	require.LessOrEqual(t, len(steps), 15)
	name := regexp.MustCompile("`([a-z/]+)\\.((?:[A-Za-z]+\\.)?[A-Za-z]+)`")
	for _, step := range steps {
		names := name.FindAllStringSubmatch(step, -1)
		require.NotEmpty(t, names, "%s: it names no function", step)
		for _, n := range names {
			require.Contains(t, functions(t, n[1]), n[2], "package %s", n[1])
		}
	}
}

// functions returns the names of the functions of a package, and of its methods as Type.Method.
func functions(t *testing.T, pkg string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				of := fn.Recv.List[0].Type
				if pointer, ok := of.(*ast.StarExpr); ok {
					of = pointer.X
				}
				if of, ok := of.(*ast.Ident); ok {
					name = of.Name + "." + name
				}
			}
			names = append(names, name)
		}
	}
	return names
}

package codestats

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TestNames holds the names of the functions that `go test` runs in one package, by kind: Test, Example,
// Fuzz and Benchmark.
type TestNames map[string][]string

// Names returns the test names of each package below dir, by its path relative to dir. It reads all test
// files, whatever system their build constraints name.
func Names(dir string) (map[string]TestNames, error) {
	all := map[string]TestNames{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		at, err := filepath.Rel(dir, filepath.Dir(file))
		if err != nil {
			return err
		}
		at = filepath.ToSlash(at)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Name.Name == "TestMain" {
				continue
			}
			if kind := kindOf(f.Name.Name); kind != "" {
				if all[at] == nil {
					all[at] = TestNames{}
				}
				all[at][kind] = append(all[at][kind], f.Name.Name)
			}
		}
		return nil
	})
	return all, err
}

// TestKinds returns the kinds of test functions, in the order in which tables list them.
func TestKinds() []string { return []string{"Test", "Example", "Fuzz", "Benchmark"} }

// kindOf returns the kind of test function that `go test` takes a function with this name for, or "" if
// it is none.
func kindOf(name string) string {
	for _, kind := range TestKinds() {
		rest, ok := strings.CutPrefix(name, kind)
		if !ok {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(rest); rest == "" || !unicode.IsLower(first) {
			return kind
		}
	}
	return ""
}

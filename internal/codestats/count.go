// Package codestats counts what a checkout holds: files and lines by language, lines by Go package,
// tests, and the share of the statements that they reach.
//
// Its input is the directory of a Go module, and its output is numbers and names of tests.
package codestats

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// Stats describes the files of a checkout.
type Stats struct {
	Languages []Language // sorted by lines, most first
	Packages  []Package  // the Go packages, sorted by path
	Binary    int        // number of files that aren't text, whose lines aren't counted
}

// A Language holds the lines of all files in one language.
type Language struct {
	Name string
	Lines
}

// A Package holds the lines of one Go package.
type Package struct {
	Path  string // relative to the module; "." is its root
	Code  Lines  // of files other than tests
	Tests Lines  // of the _test.go files
}

// Count counts the files of the checkout whose root is dir, as they are in the working tree. It
// leaves out files that git ignores.
func Count(ctx context.Context, dir string) (*Stats, error) {
	files, err := trackedFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	return countFiles(dir, files)
}

// trackedFiles returns the files in dir that git doesn't ignore, as slash-separated paths.
func trackedFiles(ctx context.Context, dir string) ([]string, error) {
	list := []string{"-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard"}
	out, err := childproc.Output(ctx, "", "git", list...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the checkout's files: %w: want git, and a checkout", err)
	}
	var files []string
	for name := range strings.SplitSeq(out, "\x00") {
		if name != "" {
			files = append(files, name)
		}
	}
	return files, nil
}

// countFiles counts the named files below dir. A file that doesn't exist is skipped.
func countFiles(dir string, files []string) (*Stats, error) {
	stats := &Stats{}
	languages, packages := map[string]Lines{}, map[string]Package{}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, but not yet committed
		}
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			stats.Binary++
			continue
		}
		language, mark := languageOf(name, text)
		if language != goLanguage {
			languages[language] = languages[language].Add(countPlain(text, mark))
			continue
		}
		lines := countGo(text)
		languages[language] = languages[language].Add(lines)
		at := path.Dir(name)
		p := packages[at]
		p.Path = at
		if strings.HasSuffix(name, "_test.go") {
			p.Tests = p.Tests.Add(lines)
		} else {
			p.Code = p.Code.Add(lines)
		}
		packages[at] = p
	}
	for name, lines := range languages {
		stats.Languages = append(stats.Languages, Language{name, lines})
	}
	slices.SortFunc(stats.Languages, func(a, b Language) int {
		return cmp.Or(cmp.Compare(b.All(), a.All()), cmp.Compare(a.Name, b.Name))
	})
	stats.Packages = slices.SortedFunc(maps.Values(packages), func(a, b Package) int {
		return cmp.Compare(a.Path, b.Path)
	})
	return stats, nil
}

const goLanguage = "Go"

// languageOf returns the language of a file and the marker that begins its comment lines. The
// marker is empty if the language has no line comments.
func languageOf(name string, text []byte) (language, comment string) {
	if slices.Contains(strings.Split(name, "/"), "testdata") && !strings.HasSuffix(name, ".txtar") {
		return "test data", ""
	}
	switch ext := path.Ext(name); {
	case ext == ".go":
		return goLanguage, ""
	case ext == ".md":
		return "Markdown", ""
	case ext == ".yaml" || ext == ".yml":
		return "YAML", "#"
	case ext == ".txtar":
		return "testscript", "#"
	case ext == ".json":
		return "JSON", ""
	case path.Base(name) == "go.mod":
		return "go.mod", "//"
	case path.Base(name) == "Makefile":
		return "Makefile", "#"
	case ext == ".sh" || isShellScript(text):
		return "shell", "#"
	}
	return "other text", ""
}

// isShellScript reports whether text begins with the #! line of a shell.
func isShellScript(text []byte) bool {
	return bytes.HasPrefix(text, []byte("#!")) && bytes.Contains(text[:min(len(text), 64)], []byte("sh\n"))
}

// Total returns the sum over all languages.
func (s *Stats) Total() Lines {
	var all Lines
	for _, l := range s.Languages {
		all = all.Add(l.Lines)
	}
	return all
}

// Lines counts the lines of one or more files. A line with any code counts as code, a line with
// only a comment as comment, and any other line as blank. An empty line inside a comment counts as
// comment, and an empty line inside a string literal as code.
type Lines struct{ Files, Blank, Comment, Code int }

// All returns the number of lines.
func (l Lines) All() int { return l.Blank + l.Comment + l.Code }

// Add returns the sum of l and o.
func (l Lines) Add(o Lines) Lines {
	return Lines{l.Files + o.Files, l.Blank + o.Blank, l.Comment + o.Comment, l.Code + o.Code}
}

// countGo counts the lines of a Go file. It uses package go/scanner, so comment markers inside
// strings count as code.
func countGo(text []byte) Lines {
	const comment, code = 1, 2
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments) // syntax errors are ignored
	kinds := make([]int, file.Size()+2)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal != ";" { // inserted by the scanner at the end of a line
			continue
		}
		kind := code
		if tok == token.COMMENT {
			kind = comment
		}
		first := file.Line(pos)
		for line := first; line <= first+strings.Count(literal, "\n"); line++ {
			kinds[line] = max(kinds[line], kind)
		}
	}
	l := Lines{Files: 1}
	n := 0
	for range bytes.Lines(text) {
		n++
		switch kinds[n] {
		case code:
			l.Code++
		case comment:
			l.Comment++
		default:
			l.Blank++
		}
	}
	return l
}

// countPlain counts the lines of a file in which a line that begins with mark is a comment. An
// empty mark means that the language has no line comments.
func countPlain(text []byte, mark string) Lines {
	l := Lines{Files: 1}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			l.Blank++
		case mark != "" && bytes.HasPrefix(line, []byte(mark)):
			l.Comment++
		default:
			l.Code++
		}
	}
	return l
}

// TestNames holds the names of the functions that `go test` runs in one package, by kind: Test,
// Example, Fuzz and Benchmark.
type TestNames map[string][]string

// Names returns the test names of each package below dir, by its path relative to dir. It reads all
// test files, whatever their build constraints.
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

// kindOf returns the kind of a test function by its name, as `go test` does. It returns "" for
// other functions.
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

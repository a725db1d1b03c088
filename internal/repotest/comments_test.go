package repotest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// foreignNames returns the names in mixed case that comments may use although no code has them:
// products, standards, and options of other programs.
func foreignNames() map[string]bool {
	return map[string]bool{
		"macOS": true, "GitLab": true, "GitHub": true, "JUnit": true, "CommonMark": true, "OpenTelemetry": true,
		"SplitMix64":   true,
		"NewTransport": true, // of OpenTelemetry's package for net/http
		"gracefulStop": true, // of k6
	}
}

// TestCommentsNameWhatExists checks the names in comments and in the documentation. A name in mixed
// case must be an identifier or a part of a string of this module, or a name of the standard
// library. A link in brackets must lead to a declaration.
func TestCommentsNameWhatExists(t *testing.T) {
	root := repository(t)
	names := newNamesOf(t)
	var sources []source
	require.NoError(t, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || p != root && strings.HasPrefix(d.Name(), ".")) {
			return cmp.Or(err, filepath.SkipDir)
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		sources = append(sources, names.add(t, filepath.ToSlash(rel), string(text)))
		return nil
	}))
	require.Greater(t, len(sources), 500)
	for _, s := range sources {
		for _, wrong := range names.wrong(s) {
			t.Error(wrong)
		}
	}

	code := regexp.MustCompile("`[^`\n]+`")
	for _, page := range pages(t, root) {
		if slices.Contains(pagesAsOfThen(), filepath.Base(page)) {
			continue
		}
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for i, line := range strings.Split(string(text), "\n") {
			for _, c := range code.FindAllString(line, -1) {
				for _, name := range names.unknown(c) {
					if names.words["Benchmark"+name] {
						continue // a benchmark, as its results name it
					}
					t.Errorf("%s:%d: %s names %s, which doesn't exist", filepath.Base(page), i+1, c, name)
				}
			}
		}
	}
}

// TestCommentsNameWhatExists_finds checks the test itself with comments that are wrong.
func TestCommentsNameWhatExists_finds(t *testing.T) {
	for _, row := range []struct{ name, code, want string }{
		{"fine", "// F calls [T.M] of [T], [os.ReadFile], [net/http.Client] and [other.G]; see someText and theField.\nfunc F() {}", ""},
		{"a list, an interval and an index", "// F takes [a], [0, 1) and list[i].\nfunc F() {}", ""},
		{"a name that was changed", "// oldName does it.\nfunc F() {}", "oldName"},
		{"within a function", "func F() {\n\t// as oldName does\n}", "oldName"},
		{"a link to nothing", "// F is as [Gone].\nfunc F() {}", "[Gone]"},
		{"a method that there isn't", "// F is as [T.Gone].\nfunc F() {}", "[T.Gone]"},
		{"in another package", "// F is as [other.Gone].\nfunc F() {}", "[other.Gone]"},
		{"in the standard library", "// F is as [os.ReadFiles].\nfunc F() {}", "[os.ReadFiles]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			names := newNamesOf(t)
			names.add(t, "x/other/other.go", "package other\n\nfunc G() {}")
			s := names.add(t, "x/x.go", `package x

import (
	"net/http"
	"os"

	"github.com/fleetmark/fleetmark/x/other"
)

type T struct { theField int }

func (T) M() string { return "someText" }

`+row.code+"\n")
			wrong := strings.Join(names.wrong(s), "\n")
			if row.want == "" {
				require.Empty(t, wrong)
			} else {
				require.Contains(t, wrong, row.want)
			}
		})
	}
}

// namesOf holds what comments may name.
type namesOf struct {
	words    map[string]bool            // identifiers, and words in strings, of the module and of the standard library
	declared map[string]map[string]bool // import path -> Name, Type.Method, Type.Field
	notNames *regexp.Regexp
	link     *regexp.Regexp
}

// A source is a parsed file.
type source struct {
	pkg     string // import path
	imports map[string]string
	file    *ast.File
	set     *token.FileSet
}

const modulePath = "github.com/fleetmark/fleetmark"

// newNamesOf returns the names of the standard library. The caller may add others.
func newNamesOf(t *testing.T) *namesOf {
	n := *standardNames(t)
	n.words, n.declared = maps.Clone(n.words), maps.Clone(n.declared)
	return &n
}

// standardNames returns the names of the standard library, which are read once.
func standardNames(t *testing.T) *namesOf {
	n, err := readStandardNames()
	require.NoError(t, err)
	require.Greater(t, len(n.declared), 100,
		"this Go distribution lacks its list of the standard library's names (GOROOT/api)")
	return n
}

var readStandardNames = sync.OnceValues(func() (*namesOf, error) {
	n := &namesOf{
		words: foreignNames(), declared: map[string]map[string]bool{},
		notNames: regexp.MustCompile(`https?://\S+`),
		link:     regexp.MustCompile(`\[\*?((?:[a-z0-9]+/)*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,2})\](?:[^(:\w]|$)`),
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "api", "go1*.txt"))
	if err != nil {
		return nil, err
	}
	// A line is such as "pkg net/http, method (*Client) Do(*Request) (*Response, error)".
	pattern := regexp.MustCompile(`^pkg ([\w/]+)(?: \([^)]*\))?, ` +
		`(?:method \(\*?(\w+)(?:\[[^\]]*\])?\) (\w+)|(?:func|const|var|type) (\w+)(?: struct, (\w+)| interface.*)?)`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			m := pattern.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			names := []string{m[4]}
			switch {
			case m[2] != "":
				names = []string{m[2] + "." + m[3]}
			case m[5] != "":
				names = append(names, m[4]+"."+m[5])
			}
			for _, name := range names {
				n.declare(m[1], name)
			}
		}
	}
	return n, nil
})

func (n *namesOf) declare(pkg, name string) {
	if n.declared[pkg] == nil {
		n.declared[pkg] = map[string]bool{}
	}
	n.declared[pkg][name] = true
	for _, word := range strings.Split(name, ".") {
		n.words[word] = true
	}
}

// add records the names in a file and returns the parsed file.
func (n *namesOf) add(t *testing.T, name, text string) source {
	s := source{set: token.NewFileSet(), pkg: path.Join(modulePath, path.Dir(name)), imports: map[string]string{}}
	var err error
	s.file, err = parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		require.NoError(t, err)
		as := path.Base(p)
		if i.Name != nil {
			as = i.Name.Name
		}
		s.imports[as] = p
	}
	ast.Inspect(s.file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Ident:
			n.words[node.Name] = true
		case *ast.BasicLit:
			for word := range words(node.Value) {
				n.words[word] = true
			}
		}
		return true
	})
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = typeName(d.Recv.List[0].Type) + "." + name
			}
			n.declare(s.pkg, name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						n.declare(s.pkg, name.Name)
					}
				case *ast.TypeSpec:
					n.declareType(s.pkg, spec)
				}
			}
		}
	}
	return s
}

// declareType records a type with its fields, or with its methods if it is an interface.
func (n *namesOf) declareType(pkg string, spec *ast.TypeSpec) {
	n.declare(pkg, spec.Name.Name)
	var members *ast.FieldList
	switch of := spec.Type.(type) {
	case *ast.StructType:
		members = of.Fields
	case *ast.InterfaceType:
		members = of.Methods
	default:
		return
	}
	for _, member := range members.List {
		for _, name := range member.Names {
			n.declare(pkg, spec.Name.Name+"."+name.Name)
		}
	}
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// wrong returns a line for each name in a file's comments that doesn't exist.
func (n *namesOf) wrong(s source) (lines []string) {
	docs := map[*ast.CommentGroup]bool{s.file.Doc: true}
	ast.Inspect(s.file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			docs[node.Doc] = true
		case *ast.GenDecl:
			docs[node.Doc] = true
		case *ast.TypeSpec:
			docs[node.Doc] = true
		case *ast.ValueSpec:
			docs[node.Doc] = true
		case *ast.Field:
			docs[node.Doc] = true
		}
		return true
	})
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") {
				continue
			}
			for _, name := range n.unknown(c.Text) {
				lines = append(lines, fmt.Sprintf("%s: a comment names %s, which doesn't exist", s.set.Position(c.Pos()), name))
			}
			if !docs[group] {
				continue
			}
			for _, link := range n.link.FindAllStringSubmatch(c.Text, -1) {
				if !n.leads(s, link[1]) {
					lines = append(lines, fmt.Sprintf("%s: the link [%s] leads nowhere", s.set.Position(c.Pos()), link[1]))
				}
			}
		}
	}
	return lines
}

// unknown returns the names in mixed case in a text that no code has.
func (n *namesOf) unknown(text string) (names []string) {
	if strings.Contains(text, "://") {
		text = n.notNames.ReplaceAllString(text, "")
	}
	for word := range words(text) {
		if isMixed(word) && !n.words[word] {
			names = append(names, word)
		}
	}
	return names
}

// words returns what looks like an identifier in a text. A regular expression takes many seconds for
// all of this module's.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		begin := -1 // of the word, or -1 outside one
		for i := range len(text) + 1 {
			inside := i < len(text) && (isLetter(text[i]) || begin >= 0 && isDigit(text[i]))
			if inside == (begin >= 0) {
				continue
			}
			if inside {
				begin = i
				continue
			}
			if !yield(text[begin:i]) {
				return
			}
			begin = -1
		}
	}
}

func isLetter(c byte) bool { return isUpper(c) || 'a' <= c && c <= 'z' || c == '_' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// isMixed reports whether a word is in mixed case, such as someText. A word in capitals isn't, and
// one with an underscore is no name of this module.
func isMixed(word string) bool {
	mixed := false
	for i := 1; i < len(word); i++ {
		mixed = mixed || i > 1 && isUpper(word[i]) && !isUpper(word[i-1])
	}
	return mixed && !strings.Contains(word, "_")
}

// leads reports whether a text in brackets is a link to a declaration, or isn't a link: a word in
// lower case is an index or an example.
func (n *namesOf) leads(s source, link string) bool {
	dir, last := path.Split(link)
	first, rest, _ := strings.Cut(last, ".")
	if ast.IsExported(first) || dir == "" && n.declared[s.pkg][first] {
		return n.declared[s.pkg][last] || n.embeds(s.pkg, last)
	}
	pkg := dir + first
	if p, ok := s.imports[pkg]; ok {
		pkg = p
	} else if p, ok := comment.DefaultLookupPackage(pkg); ok {
		pkg = p
	} else if dir == "" && rest == "" {
		return true
	} else if dir == "" {
		for p := range n.declared { // a package of the module that the file doesn't import
			if path.Base(p) == first && strings.HasPrefix(p, modulePath) && n.declared[p][rest] {
				return true
			}
		}
	}
	if _, known := n.declared[pkg]; !known {
		return !strings.HasPrefix(pkg, modulePath) && strings.Contains(pkg, ".") // other modules aren't read
	}
	return rest == "" || n.declared[pkg][rest] || n.embeds(pkg, rest)
}

// embeds reports whether a method may come from an embedded type. It only checks that the type
// exists, and that some type has a method or field of this name.
func (n *namesOf) embeds(pkg, name string) bool {
	of, member, ok := strings.Cut(name, ".")
	return ok && n.declared[pkg][of] && n.words[member]
}

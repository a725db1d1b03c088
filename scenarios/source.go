package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

const (
	maxSpecFile = 256 << 10 // bytes of a scenario file
	maxNesting  = 200       // of lists and mappings in one: the parser's time grows with the square of it
)

// source is a scenario file as it was read.
type source struct {
	file  string   // as mistakes call it
	lines []string // of its text
	root  ast.Node

	fromCatalog bool // it is of the catalogue, and no file
}

// A position is where something was written; without a line, nowhere.
type position struct {
	src          *source
	line, column int
}

// attach puts a mistake into its place.
func (p position) attach(e *SpecError) *SpecError {
	if p.src == nil {
		return e
	}
	e.File = p.src.file
	if p.line > 0 {
		e.Line, e.Column = p.line, p.column
		if !isWithin(e.Field, headersField) {
			e.Source = p.src.visibleLine(p.line)
		}
	}
	return e
}

func readSpecFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSpecFile+1))
	if err != nil {
		return nil, cannotRead(path, err)
	}
	if len(text) > maxSpecFile {
		return nil, &SpecError{File: path, Problem: fmt.Sprintf("over %d bytes", maxSpecFile), Want: "a scenario"}
	}
	return text, nil
}

func cannotRead(path string, err error) error {
	err = WithoutPath(err)
	return &SpecError{File: path, Problem: err.Error(), Err: err}
}

// WithoutPath returns err without the path, for where that is named already.
func WithoutPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// newSource parses a file's text as far as YAML goes. Its error is a *SpecError.
func newSource(file string, text []byte) (*source, error) {
	text = plaintext.Decode(text)
	src := &source{file: file, lines: strings.Split(strings.ToValidUTF8(string(text), "\ufffd"), "\n")}
	if mistake := src.notUTF8(text); mistake != nil {
		return nil, mistake
	}
	if line, column := yamlnode.TooDeep(src.lines, maxNesting); line > 0 {
		at := position{src, line, column}
		return nil, at.attach(&SpecError{Problem: fmt.Sprintf("lists and mappings within each other, over %d deep", maxNesting), Want: "a scenario"})
	}
	// Keys that stand twice are told by the decoder, which goes on after them.
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, src.syntaxError(err)
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if src.root != nil {
			return nil, src.position(doc.Body).attach(&SpecError{Problem: "a second document", Want: "one scenario a file"})
		}
		src.root = doc.Body
	}
	if _, null := src.root.(*ast.NullNode); src.root == nil || null {
		return nil, &SpecError{File: file, Problem: "is empty", Want: "a scenario, at least its name"}
	}
	return src, nil
}

// notUTF8 reports the first byte that is not UTF-8, as in files of another encoding. It returns nil
// if there is none. The parser
// would put another character in its place without a word.
func (src *source) notUTF8(text []byte) *SpecError {
	line, column := 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n <= 1:
			at := position{src, line, column}
			return at.attach(&SpecError{Problem: fmt.Sprintf("byte 0x%02X is not UTF-8", text[0]), Want: "the file in UTF-8; it may be in Latin-1 or Windows-1252"})
		case r == '\n':
			line, column = line+1, 0
		}
		text, column = text[n:], column+1
	}
	return nil
}

// syntaxError returns the mistake for which the parser gave up.
func (src *source) syntaxError(err error) *SpecError {
	e := &SpecError{File: src.file, Problem: "not YAML: " + yamlnode.Clip(yamlnode.OneLine(err.Error()))}
	y, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return e
	}
	e.Problem = "not YAML: " + yamlnode.OneLine(y.GetMessage())
	t := y.GetToken()
	if t == nil {
		return e
	}
	at := position{src, t.Position.Line, t.Position.Column}
	if line := src.line(at.line); at.column <= len(line) && at.column > 0 && line[at.column-1] == '\t' {
		e.Problem, e.Want = "not YAML: a tab where a line is indented", "spaces"
	}
	return at.attach(e)
}

// line returns the n-th line, counted from 1, or empty if there is none.
func (src *source) line(n int) string {
	if n < 1 || n > len(src.lines) {
		return ""
	}
	return src.lines[n-1]
}

// visibleLine returns the n-th line where it may be shown: empty if it, or one beside it, tells of
// a secret.
func (src *source) visibleLine(n int) string {
	for i := n - 1; i <= n+1; i++ {
		if isSecretName(src.line(i)) {
			return ""
		}
	}
	return src.line(n)
}

// position returns where a node begins.
func (src *source) position(n ast.Node) position { return src.tokenPosition(yamlnode.First(n)) }

// tokenPosition returns where a token begins. The parser doesn't count the tabs before it in its
// line, so it is looked for from where the parser says on.
func (src *source) tokenPosition(t *token.Token) position {
	if t == nil {
		return position{}
	}
	at := position{src, t.Position.Line, t.Position.Column}
	line := strings.TrimRight(src.line(at.line), " \t\r")
	runes := []rune(line)
	if at.column > len(runes) && len(runes) > 0 {
		at.column = len(runes) // nothing is written: the last that is before it
	}
	if !strings.Contains(line, "\t") {
		return at
	}
	written, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	for shift := range strings.Count(line, "\t") + 1 {
		if i := at.column - 1 + shift; i >= 0 && i < len(runes) && strings.HasPrefix(string(runes[i:]), written) {
			at.column += shift
			break
		}
	}
	return at
}

const headersField = "client.headers"

// isSecretName reports whether a field of this name holds a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	words := []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature", "credential"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"
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

	catalogued bool // it is of the catalogue, and no file
}

func readSpecFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSpecFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(text) > maxSpecFile {
		return nil, &SpecError{File: path, Problem: fmt.Sprintf("over %d bytes: want a scenario", maxSpecFile)}
	}
	return text, nil
}

func unreadable(path string, err error) error {
	return NewUsageError(WithoutPath(err), "scenario file %s", path)
}

// WithoutPath is err without the path, for where that is named already.
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
		at := place{src, line, column}
		return nil, at.at(&SpecError{Problem: fmt.Sprintf("lists and mappings within each other, over %d deep: want a scenario", maxNesting)})
	}
	// Keys that stand twice are told by the binder, which goes on after them.
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, src.notYAML(err)
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if src.root != nil {
			return nil, src.place(doc.Body).at(&SpecError{Problem: "a second document: want one scenario a file"})
		}
		src.root = doc.Body
	}
	if _, null := src.root.(*ast.NullNode); src.root == nil || null {
		return nil, &SpecError{File: file, Problem: "is empty: want a scenario, at least its name"}
	}
	return src, nil
}

// notUTF8 is the first byte that is no UTF-8, as in files of another encoding, or nil. The parser would
// put another character in its place without a word.
func (src *source) notUTF8(text []byte) *SpecError {
	line, column := 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n <= 1:
			at := place{src, line, column}
			return at.at(&SpecError{Problem: fmt.Sprintf("byte 0x%02X is not UTF-8: want the file in UTF-8; it may be in Latin-1 or Windows-1252", text[0])})
		case r == '\n':
			line, column = line+1, 0
		}
		text, column = text[n:], column+1
	}
	return nil
}

// notYAML is the mistake for which the parser gave up.
func (src *source) notYAML(err error) *SpecError {
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
	at := place{src, t.Position.Line, t.Position.Column}
	if line := src.line(at.line); at.column <= len(line) && at.column > 0 && line[at.column-1] == '\t' {
		e.Problem = "not YAML: a tab where a line is indented: want spaces"
	}
	return at.at(e)
}

// line is the n-th line, counted from 1, or empty if there is none.
func (src *source) line(n int) string {
	if n < 1 || n > len(src.lines) {
		return ""
	}
	return src.lines[n-1]
}

// shown is the n-th line where it may be shown: empty if it, or one beside it, tells of a secret.
func (src *source) shown(n int) string {
	for i := n - 1; i <= n+1; i++ {
		if secretive(src.line(i)) {
			return ""
		}
	}
	return src.line(n)
}

// place is where a node begins.
func (src *source) place(n ast.Node) place { return src.placeOfToken(yamlnode.First(n)) }

// placeOfToken is where a token begins. The parser doesn't count the tabs before it in its
// line, so it is looked for from where the parser says on.
func (src *source) placeOfToken(t *token.Token) place {
	if t == nil {
		return place{}
	}
	at := place{src, t.Position.Line, t.Position.Column}
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

// quoted reports whether text was written as such, rather than plain.
func quoted(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode:
		return n.GetToken().Type != token.StringType
	case *ast.LiteralNode:
		return true
	}
	return false
}

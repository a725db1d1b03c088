package yamlnode

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A Document is a YAML document as it was read.
type Document struct {
	Lines []string // of its text
	Root  ast.Node
}

// A SyntaxError says why a text isn't a YAML document. Line is 0 if the error concerns the whole
// text.
type SyntaxError struct {
	Line, Column  int // counted from 1, in characters
	Problem, Want string
}

// Parse parses a text that holds one document, in which brackets and dashes nest at most maxNesting
// deep. noun names what the document is, for messages. It allows a mapping to have a key twice. The
// document of an empty text has no root. The returned Document has its Lines even if there is an
// error.
func Parse(text []byte, noun string, maxNesting int) (*Document, *SyntaxError) {
	d := &Document{Lines: strings.Split(strings.ToValidUTF8(string(text), "\ufffd"), "\n")}
	if mistake := notUTF8(text); mistake != nil {
		return d, mistake
	}
	if line, column := TooDeep(d.Lines, maxNesting); line > 0 {
		problem := fmt.Sprintf("lists and mappings within each other, over %d deep", maxNesting)
		return d, &SyntaxError{line, column, problem, "a " + noun}
	}
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return d, d.syntaxError(err)
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if d.Root != nil {
			line, column := d.Position(doc.Body)
			return d, &SyntaxError{line, column, "a second document", "one " + noun + " a file"}
		}
		d.Root = doc.Body
	}
	if _, null := d.Root.(*ast.NullNode); null {
		d.Root = nil
	}
	return d, nil
}

// notUTF8 returns an error at the first byte that isn't valid UTF-8, or nil if there is none. The
// parser would silently replace such a byte.
func notUTF8(text []byte) *SyntaxError {
	line, column := 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n <= 1:
			return &SyntaxError{
				line, column,
				fmt.Sprintf("byte 0x%02X is not UTF-8", text[0]), "the file in UTF-8; it may be in Latin-1 or Windows-1252",
			}
		case r == '\n':
			line, column = line+1, 0
		}
		text, column = text[n:], column+1
	}
	return nil
}

// syntaxError returns the mistake that the parser reports in err.
func (d *Document) syntaxError(err error) *SyntaxError {
	y, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return &SyntaxError{Problem: "not YAML: " + Clip(OneLine(err.Error()))}
	}
	e := &SyntaxError{Problem: "not YAML: " + OneLine(y.GetMessage())}
	if t := y.GetToken(); t != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
		if line := []rune(d.Line(e.Line)); e.Column <= len(line) && e.Column > 0 {
			switch line[e.Column-1] {
			case '\t':
				e.Problem, e.Want = "not YAML: a tab where a line is indented", "spaces"
			case '{': // in a text such as go build -o {out}, or {{.Address}}
				e.Want = "quotes around the value, if the { belongs to a text"
			}
		}
	}
	return e
}

// Line returns the n-th line, counted from 1, or empty if there is none.
func (d *Document) Line(n int) string {
	if n < 1 || n > len(d.Lines) {
		return ""
	}
	return d.Lines[n-1]
}

// Position returns where a node begins, counted from 1, or 0, 0 if the node isn't written out. The
// parser's column doesn't count tabs, so Position searches the line from the parser's column on.
func (d *Document) Position(n ast.Node) (line, column int) {
	t := First(n)
	if t == nil {
		return 0, 0
	}
	return t.Position.Line, d.column(t)
}

func (d *Document) column(t *token.Token) int {
	line := strings.TrimRight(d.Line(t.Position.Line), " \t\r")
	runes, column := []rune(line), t.Position.Column
	if column > len(runes) && len(runes) > 0 {
		column = len(runes) // the token has no text: use the last column before it
	}
	if !strings.Contains(line, "\t") {
		return column
	}
	written, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	for shift := range strings.Count(line, "\t") + 1 {
		if i := column - 1 + shift; i >= 0 && i < len(runes) && strings.HasPrefix(string(runes[i:]), written) {
			return column + shift
		}
	}
	return column
}

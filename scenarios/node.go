package scenarios

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// place is where a node begins. A block mapping's own token is its first colon: a person
// looks for the key.
func (src *source) place(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingValueNode:
		return src.place(m.Key)
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return src.place(m.Values[0].Key)
		}
	}
	return src.placeOfToken(n.GetToken())
}

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

// membersOf are the members of a mapping; ok is false for what is none.
func membersOf(n ast.Node) (values []*ast.MappingValueNode, ok bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// textOf is what a node says that is text: plain, quoted, or a block.
func textOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
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

// scalarText is a scalar as it was written.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return textOf(n)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// kindOf is what a node is, in the words of YAML, with its text where it is short.
func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	default:
		if s, ok := scalarText(n); ok {
			return strconv.Quote(clip(s))
		}
		return n.Type().String()
	}
}

// clip is text at a length that fits a line.
func clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

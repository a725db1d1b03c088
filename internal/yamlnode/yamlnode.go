// Package yamlnode parses YAML documents and reads their nodes: their positions, kinds and values.
// It shortens text for messages to one line. It knows no document's fields.
package yamlnode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// TooDeep returns the line and the column, in characters, at which brackets, or the dashes that
// begin a line, nest deeper than most. It returns 0, 0 if they nowhere do. The parser's time grows
// with the square of the depth, so call TooDeep before parsing. Brackets inside strings count as
// well; no ordinary document has that many.
func TooDeep(lines []string, most int) (line, column int) {
	depth := 0
	for i, text := range lines {
		dashes, leading := 0, true
		for column, r := range []rune(text) {
			switch r {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case '-', '?':
				if leading {
					dashes++
				}
			}
			leading = leading && strings.ContainsRune("-? ", r)
			if depth > most || dashes > most {
				return i + 1, column + 1
			}
		}
	}
	return 0, 0
}

// First returns the token at which a node begins. A block mapping's own token is the colon after
// its first key.
func First(n ast.Node) *token.Token {
	switch m := n.(type) {
	case *ast.MappingValueNode:
		return First(m.Key)
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return First(m.Values[0].Key)
		}
	}
	return n.GetToken()
}

// Members returns the members of a mapping. It reports false for any other node.
func Members(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// Text returns the value of a string node, whether plain, quoted or a block. It reports false for
// any other node.
func Text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// Scalar returns a string, a number or a boolean as it was written. It reports false for any other
// node.
func Scalar(n ast.Node) (string, bool) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return Text(n)
}

// IsQuoted reports whether a string is quoted or a block, rather than plain.
func IsQuoted(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode:
		return n.GetToken().Type != token.StringType
	case *ast.LiteralNode:
		return true
	}
	return false
}

// Describe describes a node for a message: a string in quotes, or the kind of the node.
func Describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle && len(n.Values) == 1 { // such as {out}, which stands for text in many commands
			name, ok := Text(n.Values[0].Key)
			if _, bare := n.Values[0].Value.(*ast.NullNode); ok && bare {
				return fmt.Sprintf("a mapping; '{%s}' in quotes would be text", Clip(name))
			}
		}
		return "a mapping"
	case *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	if s, ok := Scalar(n); ok {
		return strconv.Quote(Clip(s))
	}
	return n.Type().String()
}

// Clip shortens text to a length that fits a message.
func Clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// OneLine returns text with each run of white space replaced by one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Join returns the path of a key under a field. The root's field is empty.
func Join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

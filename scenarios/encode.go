package scenarios

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// YAML returns the whole scenario with its defaults, in a form that Parse reads. It escapes
// characters that a terminal would interpret or not show.
func (s Spec) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(s, yaml.CustomMarshaler(marshalText))
}

// CommentedYAML returns the scenario as YAML does, with a comment above each key that says what it
// is. In a list, only the first member's keys have comments.
func (s Spec) CommentedYAML() ([]byte, error) {
	root, err := yaml.ValueToNode(s, yaml.CustomMarshaler(marshalText))
	if err != nil {
		return nil, err
	}
	addComments(root, specField(), "", 0, map[string]bool{})
	return []byte(root.String() + "\n"), nil
}

// marshalText returns text as YAML that a terminal shows as it is.
func marshalText(text string) ([]byte, error) {
	if !strings.ContainsFunc(text, unprintable) {
		return yaml.Marshal(text)
	}
	// Go's escapes are YAML's, too (YAML 1.2.2, 5.7).
	return []byte(strconv.Quote(strings.ToValidUTF8(text, "\ufffd"))), nil
}

// unprintable reports whether a terminal wouldn't show a character as it is. It returns false for a
// line feed.
func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// commentWidth is the largest width of a line with a comment, in columns, unless one word is
// longer.
const commentWidth = 90

// addComments adds a comment to each key in n, the value of the field f. indent is the column of
// its keys, counted from 0. commented holds the paths of keys that have a comment already; all
// members of a list share one path.
func addComments(n ast.Node, f Field, path string, indent int, commented map[string]bool) {
	if list, ok := n.(*ast.SequenceNode); ok {
		for _, member := range list.Values {
			addComments(member, f.member(), path+"[]", indent+len("- "), commented)
		}
		return
	}
	members, _ := yamlnode.Members(n)
	of := f.Type
	if f.form.mapping != nil {
		of = f.form.mapping
	}
	for _, m := range members {
		inner, _ := sections()[of].field(m.Key.(*ast.StringNode).Value)
		at := yamlnode.Join(path, inner.Key)
		if !commented[at] {
			commented[at] = true
			var lines []*token.Token
			for _, line := range wrap(inner.doc(), commentWidth-indent-len("# ")) {
				lines = append(lines, token.New(" "+line, "", nil))
			}
			if err := m.SetComment(ast.CommentGroup(lines)); err != nil {
				panic(err) // can't happen: every node takes a comment
			}
		}
		addComments(m.Value, inner, at, indent+len("  "), commented)
	}
}

// wrap breaks text into lines of at most width bytes, unless one word is longer.
func wrap(text string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+len(" ")+len(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

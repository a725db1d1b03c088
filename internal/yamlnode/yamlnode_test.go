package yamlnode_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// value parses a document, and returns the value of its only member and its root.
func value(t *testing.T, text string) (value, root ast.Node) {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	require.NoError(t, err)
	require.Len(t, file.Docs, 1)
	root = file.Docs[0].Body
	members, ok := yamlnode.Members(root)
	require.True(t, ok)
	return members[0].Value, root
}

func TestNodes(t *testing.T) {
	for _, c := range []struct {
		text, describe string
		text1          string // what Text returns; "-" for false
		scalar         string // what Scalar returns; "-" for false
	}{
		{"a: b c", `"b c"`, "b c", "b c"},
		{"a: \"b\\nc\"", `"b\nc"`, "b\nc", "b\nc"},
		{"a: |\n  b\n", `"b\n"`, "b\n", "b\n"},
		{"a: 0x1F", `"0x1F"`, "-", "0x1F"},
		{"a: 1.50", `"1.50"`, "-", "1.50"},
		{"a: yes", `"yes"`, "yes", "yes"},
		{"a: true", `"true"`, "-", "true"},
		{"a: .inf", `".inf"`, "-", ".inf"},
		{"a: [1]", "a list", "-", "-"},
		{"a: {b: 1}", "a mapping", "-", "-"},
		{"a: {out}", "a mapping; '{out}' in quotes would be text", "-", "-"},
		{"a: {out, in}", "a mapping", "-", "-"},
		{"a:\n  b: 1\n", "a mapping", "-", "-"},
		{"a:", "nothing", "-", "-"},
		{"a: " + strings.Repeat("ä", 61), `"` + strings.Repeat("ä", 60) + `…"`, strings.Repeat("ä", 61),
			strings.Repeat("ä", 61)},
	} {
		n, _ := value(t, c.text)
		require.Equal(t, c.describe, yamlnode.Describe(n), c.text)
		check := func(want, got string, ok bool) {
			require.Equal(t, want != "-", ok, c.text)
			if ok {
				require.Equal(t, want, got, c.text)
			}
		}
		s, ok := yamlnode.Text(n)
		check(c.text1, s, ok)
		s, ok = yamlnode.Scalar(n)
		check(c.scalar, s, ok)
	}
}

func TestFirst(t *testing.T) {
	for text, column := range map[string]int{"  a: 1\n  b: 2\n": 3, "a: 1": 1, " {a: 1}": 2} {
		_, root := value(t, text)
		require.Equal(t, column, yamlnode.First(root).Position.Column, "%q", text)
	}
}

func TestTooDeep(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
	}{
		{"", 0, 0},
		{"a: [[[1]]]", 0, 0},
		{"a: [[[[1]]]]", 1, 7},
		{"a: [\n{[\n{", 3, 1},
		{"- - - 1", 0, 0},
		{"a: b\n- - - - 1", 2, 7},
		{"? ? ? ? 1", 1, 7},
		{"a - b - c - d - e", 0, 0},
		{"[][][][]]]]][[[", 0, 0},
	} {
		line, column := yamlnode.TooDeep(strings.Split(c.text, "\n"), 3)
		require.Equal(t, []int{c.line, c.column}, []int{line, column}, "%q", c.text)
	}
}

func TestText(t *testing.T) {
	require.Equal(t, "a b c", yamlnode.OneLine(" a\n\tb  c\n"))
	require.Equal(t, "", yamlnode.Clip(""))
	require.Equal(t, "a", yamlnode.Join("", "a"))
	require.Equal(t, "a[0].b", yamlnode.Join("a[0]", "b"))
}

func TestParse(t *testing.T) {
	for text, want := range map[string]*yamlnode.SyntaxError{
		"a: 1\na: 2\n": nil,
		"":             nil,
		"a: \xff\n": {Line: 1, Column: 4, Problem: "byte 0xFF is not UTF-8",
			Want: "the file in UTF-8; it may be in Latin-1 or Windows-1252"},
		"a: [[[[1]]]]": {Line: 1, Column: 7, Problem: "lists and mappings within each other, over 3 deep",
			Want: "a page"},
		"a: 1\n---\nb: 2\n": {Line: 3, Column: 1, Problem: "a second document", Want: "one page a file"},
		"a: {b: c {d} e}": {Line: 1, Column: 10, Problem: "not YAML: ',' or '}' must be specified",
			Want: "quotes around the value, if the { belongs to a text"},
		"a:\n  b: {{.C}}\n": {Line: 2, Column: 7, Problem: "not YAML: could not find flow map content",
			Want: "quotes around the value, if the { belongs to a text"},
		"a:\n\tb: 1\n": {Line: 2, Column: 1, Problem: "not YAML: a tab where a line is indented", Want: "spaces"},
	} {
		d, mistake := yamlnode.Parse([]byte(text), "page", 3)
		require.Equal(t, want, mistake, "%q", text)
		require.Len(t, d.Lines, strings.Count(text, "\n")+1)
		if mistake == nil {
			require.Equal(t, text != "", d.Root != nil, "%q", text)
		}
	}
	d, mistake := yamlnode.Parse([]byte("a:\tb\n"), "page", 3)
	require.Nil(t, mistake)
	members, _ := yamlnode.Members(d.Root)
	line, column := d.Position(members[0].Value)
	require.Equal(t, []int{1, 4}, []int{line, column}, "a tab counts as one column")
}

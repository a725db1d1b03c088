package markdown

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"plain text.":     "plain text.",
		"a|b":             `a\|b`,
		"`c`":             "\\`c\\`",
		"*b* _i_ [l](u)":  `\*b\* \_i\_ \[l\](u)`,
		"<script>&amp;":   `\<script\>\&amp;`,
		"two\nlines\tand": "two lines and",
		`back\slash`:      `back\\slash`,
		"\x1b[31mred":     "\uFFFD\\[31mred",
		"\xff":            "\uFFFD",
		"$math$ ~~x~~":    `\$math\$ \~\~x\~\~`,
		"µ ± é 日本":        "µ ± é 日本",
	} {
		require.Equal(t, want, Escape(in), "%q", in)
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		"":      "",
		"abc":   "`abc`",
		"a`b":   "``a`b``",
		"a``b`": "``` a``b` ```",
		"a|b":   "`a\\|b`",
		"a\nb":  "`a b`",
		"<b>":   "`<b>`",
		" a ":   "`  a  `",
	} {
		require.Equal(t, want, Code(in), "%q", in)
	}
}

func TestFence(t *testing.T) {
	for in, want := range map[string]string{
		"go run":             "```sh\n  go run\n```\n",
		"a\r\nb\n\n":         "```sh\n  a\n  b\n```\n",
		"```\nBenchmarkX 1 ": "````sh\n  ```\n  BenchmarkX 1 \n````\n",
		"":                   "```sh\n  \n```\n",
		"\x1b]0;title\x07":   "```sh\n  \uFFFD]0;title\uFFFD\n```\n",
	} {
		var text bytes.Buffer
		require.NoError(t, Fence(&text, "sh", in))
		require.Equal(t, want, text.String(), "%q", in)
	}
}

// FuzzPage checks that no string makes a line that benchstat would read, whatever writes it.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"a|b", "`", "``` \n BenchmarkX 1 1 ns/op", "\nUnit a b=c", "\r\nkey: value",
		"\u2028key: x", "\u0085key: x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var text bytes.Buffer
		text.WriteString("- " + Escape(s) + Code(s) + plaintext.Line(s) + "\n")
		require.Equal(t, 1, strings.Count(text.String(), "\n"))
		require.NoError(t, Fence(&text, "sh", s))
		require.NoError(t, texttable.Table{Header: []string{"a", Escape(s)},
			Rows: [][]string{{Code(s)}, {"x", Escape(s)}}}.Markdown(&text))
		text.WriteString("BenchmarkLast 1 1 x\n")
		reader := benchfmt.NewReader(&text, "")
		for reader.Scan() {
			result, ok := reader.Result().(*benchfmt.Result)
			require.True(t, ok, "%v", reader.Result())
			require.Equal(t, "Last", result.Name.String())
			require.Empty(t, result.Config)
		}
	})
}

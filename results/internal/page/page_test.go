package page

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
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
	require.Equal(t, "a|b \uFFFD[31m", Plain("a|b\n\x1b[31m"))
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

func TestIsBenchmarkLine(t *testing.T) {
	for line, want := range map[string]bool{
		"BenchmarkPush-2 100 5 ns/op": true, "Benchmarks are nice": true, "Unit ns/op better=lower": true, "Unit": true, "Units are nice": false,
		"goos: linux": true, "note:": true, "http://example": false, "key:value": false, "key:\tvalue": true, "two words: x": false, "Key: x": false, "kEy: x": false,
		"ärger: x": true, " key: x": false, "- key: x": false, "": false, "x": false, ":": false,
	} {
		require.Equal(t, want, IsBenchmarkLine(line), "%q", line)
	}
}

// FuzzPage: no string makes a line that benchstat would read, whatever writes it.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"a|b", "`", "``` \n BenchmarkX 1 1 ns/op", "\nUnit a b=c", "\r\nkey: value", "\u2028key: x", "\u0085key: x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var text bytes.Buffer
		text.WriteString("- " + Escape(s) + Code(s) + Plain(s) + "\n")
		require.Equal(t, 1, strings.Count(text.String(), "\n"))
		require.NoError(t, Fence(&text, "sh", s))
		require.NoError(t, Table{Header: []string{"a", Escape(s)}, Rows: [][]string{{Code(s)}, {"x", Escape(s)}}}.Markdown(&text))
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

func TestTable(t *testing.T) {
	table := Table{Header: []string{"name", "ns/op"}, Align: "lr", Rows: [][]string{{"a", "1.0µs"}, {"long name"}, {"b", "\x1b[31m10µs\x1b[0m"}}}
	var text bytes.Buffer
	require.NoError(t, table.Text(&text))
	require.Equal(t, "name       ns/op\n────────────────\na          1.0µs\nlong name\nb           \x1b[31m10µs\x1b[0m\n", text.String())
	text.Reset()
	table.Rows = table.Rows[:2]
	require.NoError(t, table.Markdown(&text))
	require.Equal(t, "| name      | ns/op |\n|:----------|------:|\n| a         | 1.0µs |\n| long name |       |\n", text.String())
}

// TestTableIgnoresTheLocale: the same page everywhere.
func TestTableIgnoresTheLocale(t *testing.T) {
	table := Table{Header: []string{"a"}, Rows: [][]string{{"1 µs ± 2%"}, {"12345"}}}
	var before, after bytes.Buffer
	require.NoError(t, table.Text(&before))
	t.Setenv("LC_ALL", "ja_JP.UTF-8")
	require.NoError(t, table.Text(&after))
	require.Equal(t, before.String(), after.String())
}

package texttable

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	table := Table{Header: []string{"name", "ns/op"}, Align: "lr",
		Rows: [][]string{{"a", "1.0µs"}, {"long name"}, {"b", "\x1b[31m10µs\x1b[0m"}}}
	var text bytes.Buffer
	require.NoError(t, table.Text(&text))
	require.Equal(t, "name       ns/op\n────────────────\na          1.0µs\nlong name\nb           \x1b[31m10µs\x1b[0m\n", text.String())
	text.Reset()
	table.Rows = table.Rows[:2]
	require.NoError(t, table.Markdown(&text))
	require.Equal(t, "| name      | ns/op |\n|:----------|------:|\n| a         | 1.0µs |\n| long name |       |\n",
		text.String())
}

// TestTableIgnoresTheLocale has characters whose width is ambiguous in East Asian locales.
func TestTableIgnoresTheLocale(t *testing.T) {
	table := Table{Header: []string{"a"}, Rows: [][]string{{"1 µs ± 2%"}, {"12345"}}}
	var before, after bytes.Buffer
	require.NoError(t, table.Text(&before))
	t.Setenv("LC_ALL", "ja_JP.UTF-8")
	require.NoError(t, table.Text(&after))
	require.Equal(t, before.String(), after.String())
}

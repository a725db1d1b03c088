package texttable

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fiveColumns returns a table whose columns have different folds.
func fiveColumns(rows ...[]string) Table {
	return Table{
		Header: []string{"name", "base", "now", "p", "note"}, Align: "lrrrl", Rows: rows, Ruleless: true,
		Fold: []Fold{{Cut: 1}, {Rank: 1}, {}, {Rank: 2}, {Cut: 2, End: true}},
	}
}

// fitted returns a table as it is written for a terminal of this width, with its note.
func fitted(t *testing.T, table Table, width int) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, Style{Width: width}.Write(&text, table))
	return text.String()
}

func TestTableLosesTheLeastImportantFirst(t *testing.T) {
	table := fiveColumns([]string{"a-long-name", "12.0µs", "13.0µs", "0.001", "every word of a note"},
		[]string{"更新更新", "1", "2"})
	shown := func(width int) string { return fitted(t, table, width) }
	whole := `name           base     now      p  note
a-long-name  12.0µs  13.0µs  0.001  every word of a note
更新更新          1       2
`
	require.Equal(t, whole, shown(0))
	require.Equal(t, whole, shown(56)) // 11+6+6+5+20 and four gaps of 2
	require.Equal(t, `name           base     now  note
a-long-name  12.0µs  13.0µs  every word of a note
更新更新          1       2
left out: p; COLUMNS=56 shows all
`, shown(55))
	require.Equal(t, `name            now  note
a-long-name  13.0µs  every word of a note
更新更新          2
left out: base, p; COLUMNS=56 shows all
`, shown(48))
	require.Equal(t, `name            now  note
a-long-name  13.0µs  every word…
更新更新          2
left out: base, p; shortened: note; COLUMNS=56 shows all
`, shown(32))
	require.Equal(t, `name         now  note
a-lo…ame  13.0µs  every w…
更新更新       2
left out: base, p; shortened: name, note; COLUMNS=56 shows all
`, shown(26))
}

// TestTableShortensHeads has a long path above short numbers.
func TestTableShortensHeads(t *testing.T) {
	table := Table{
		Header: []string{"sec/op", "runs/20260102T030405Z-rollout-1a2b3c"}, Align: "lr", Fold: []Fold{{}, {Rank: 1}},
		Rows: [][]string{{"Push", "13.2µs ± 2%"}}, Ruleless: true,
	}
	require.Equal(t, "sec/op  runs/202…-1a2b3c\nPush         13.2µs ± 2%\nshortened: heads; COLUMNS=44 shows all\n",
		fitted(t, table, 24))
}

func TestHeadlessTable(t *testing.T) {
	table := Table{
		Header: []string{"scenario", "description"}, Fold: []Fold{{}, {Cut: 1, End: true}}, Headless: true,
		Rows: [][]string{{"a", "what it asks"}, {"bcd", "more"}},
	}
	require.Equal(t, "a    what it asks\nbcd  more\n", fitted(t, table, 0))
	require.Equal(t, "a    what it …\nbcd  more\nshortened: description; COLUMNS=17 shows all\n", fitted(t, table, 14))
}

// TestNoLineIsWider tries every width in which the columns that always stay have room.
func TestNoLineIsWider(t *testing.T) {
	table := fiveColumns([]string{strings.Repeat("新", 20), "1", "2", "3", strings.Repeat("word ", 9)},
		[]string{"x", "\x1b[31m10.00µs\x1b[0m"})
	for width := 23; width < 120; width++ { // 8+3+8 and two gaps
		body, note, _ := strings.Cut(fitted(t, table, width), "left out")
		for line := range strings.Lines(body) {
			require.LessOrEqual(t, Width(strings.TrimSuffix(line, "\n")), width, "%d: %q", width, line)
		}
		require.Equal(t, table.fit(0, frame{between: 2}).Whole > width, note != "" || strings.Contains(body, "shortened"),
			"%d", width)
	}
}

func TestJoin(t *testing.T) {
	require.Empty(t, Join().Note())
	require.Equal(t, "left out: p, test; COLUMNS=90 shows all", Join(
		Layout{Dropped: []string{"p"}, Whole: 90}, Layout{Whole: 200},
		Layout{Dropped: []string{"p", "test"}, Whole: 80}).Note())
}

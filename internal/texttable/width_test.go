package texttable

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":                                 0,
		"ns/op":                            5,
		"13.2µs ± 2%":                      11,
		"更新":                               4,
		"é":                                1, // e and a combining accent
		"\x1b[31mregressed\x1b[0m":         9,
		"👩‍👩‍👧":                            2, // one family
		"\x1b[1;38;5;160m更\x1b[0m":         2,
		"\x1b[31m\x1b[1mab\x1b[0m\x1b[39m": 2,
	} {
		require.Equal(t, want, Width(text), "%q", text)
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		end   bool
		want  string
	}{
		{"abcdef", 6, false, "abcdef"},
		{"abcdefgh", 5, false, "ab…gh"},
		{"abcdefgh", 6, false, "abc…gh"},
		{"abcdefgh", 5, true, "abcd…"},
		{"更新更新", 5, true, "更新…"},
		{"更新更新", 6, true, "更新…"}, // no half of a character
		{"更新更新", 5, false, "更…新"},
		{"\x1b[31mabcdefgh\x1b[0m", 5, false, "\x1b[31mab…gh\x1b[0m"},
		{"\x1b[31mabcdefgh\x1b[0m", 5, true, "\x1b[31mabcd…\x1b[0m"},
		{"abc", 1, false, "…"},
	} {
		got := shorten(test.text, test.width, test.end)
		require.Equal(t, test.want, got, "%q in %d", test.text, test.width)
	}
}

// FuzzShorten checks that shortened text fits, and that text that fits stays as it is.
func FuzzShorten(f *testing.F) {
	f.Add("abc\x1b[31m更新\x1b[0m", 4, true)
	f.Add("e\u0301e\u0301e\u0301", 2, false)
	f.Fuzz(func(t *testing.T, text string, width int, end bool) {
		if width < 1 || width > 1000 {
			return
		}
		got := shorten(text, width, end)
		require.LessOrEqual(t, Width(got), width, "%q in %d", text, width)
		if Width(text) <= width {
			require.Equal(t, text, got)
		}
	})
}

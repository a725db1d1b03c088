package shell

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestJoin(t *testing.T) {
	require.Equal(t, `go test -run '^$' -bench 'Push|Verify' ./delivery`,
		Join("go", "test", "-run", "^$", "-bench", "Push|Verify", "./delivery"))
	require.Equal(t, `echo '' 'it'\''s' a=b`, Join("echo", "", "it's", "a=b"))
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"push":                        {"push"},
		"  python3\tpush.py  --fast ": {"python3", "push.py", "--fast"},
		`sh -c 'exec ./push "$@"' x`:  {"sh", "-c", `exec ./push "$@"`, "x"},
		`a "b c" 'd  e' f" "g h\ i`:   {"a", "b c", "d  e", "f g", "h i"},
		`a "" '' "x\"y\\z\n"`:         {"a", "", "", `x"y\z\n`},
		"go test -run=^$x":            nil,
		`a b#c d~e {out} x=y ^ !`:     {"a", "b#c", "d~e", "{out}", "x=y", "^", "!"},
		"'C:\\x y\\z.exe' it'\\''s":   nil,
		`'C:\x y\z.exe' 'it'\''s'`:    {`C:\x y\z.exe`, "it's"},
		"line\nbreak":                 {"line", "break"},
		"\"\"":                        {""},
		"Größe 'µ s'":                 {"Größe", "µ s"},
	} {
		got, err := Split(line)
		if want == nil {
			require.Error(t, err, line)
			continue
		}
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
	for line, want := range map[string]string{
		"":          "is empty: want a program and its arguments",
		" \t":       "is empty",
		"a | b":     `no shell runs it, and "|" would need one: put it in quotes, or run sh -c '…'`,
		"a >b":      `">" would need one`,
		"a $HOME":   `"$" would need one`,
		`a "$HOME"`: `"$" would need one: put it in single quotes`,
		"a `b`":     "\"`\" would need one",
		"a *.py":    `"*" would need one`,
		"~/push":    `"~" would need one`,
		"a #b":      `"#" would need one`,
		"a 'b":      "the quote ' is not closed",
		`a "b`:      `the quote " is not closed`,
		`a b\`:      "a backslash at the end escapes nothing",
	} {
		_, err := Split(line)
		require.ErrorContains(t, err, want, line)
	}
}

// FuzzSplit checks that Split returns the words that Join wrote, and that a shell reads a line in the
// same way if Split does.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a b", "it's", `"x\"" 'y'`, `\\ \a`, "a\\\nb", "a=~", "!x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
			t.Skip("no argument of a program")
		}
		words, err := Split(Join("a", s, "b"))
		require.NoError(t, err)
		require.Equal(t, []string{"a", s, "b"}, words)
		// A line break ends a command, and some shells expand braces.
		if words, err = Split("x " + s); err != nil || strings.ContainsAny(s, "\r\n{") {
			return
		}
		out, err := exec.Command("sh", "-c", `printf '%s\0' x `+s).Output()
		require.NoError(t, err)
		require.Equal(t, strings.Join(words, "\x00")+"\x00", string(out))
	})
}

// FuzzQuote checks that a shell reads the quoted word as the original text.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", "$x", "a\\b", "\n", "~", "!", "^$", "a=b", "µ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			t.Skip("no argument of a program holds a zero byte")
		}
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(s)).Output()
		require.NoError(t, err)
		require.Equal(t, s, string(out))
	})
}

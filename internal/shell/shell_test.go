package shell

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoin(t *testing.T) {
	require.Equal(t, `go test -run '^$' -bench 'Push|Verify' ./delivery`,
		Join("go", "test", "-run", "^$", "-bench", "Push|Verify", "./delivery"))
	require.Equal(t, `echo '' 'it'\''s' a=b`, Join("echo", "", "it's", "a=b"))
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

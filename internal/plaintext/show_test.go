package plaintext

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLine(t *testing.T) {
	require.Equal(t, "a|b \uFFFD[31m", Line("a|b\n\x1b[31m"))
	require.Equal(t, "a b c", Line("\n\na\r\nb\tc\n"))
	require.Equal(t, "a\uFFFDb", Line("a\xffb"))
	require.Equal(t, "a\uFFFD\nb\t", Printable("a\u202e\nb\t"))
}

func TestClip(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{{"", 1, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"更新更新", 4, "更新更新"}, {"更新更新", 3, "更新…"}, {"abc", 1, "…"}} {
		require.Equal(t, test.want, Clip(test.text, test.n), "%q in %d", test.text, test.n)
	}
}

func TestCount(t *testing.T) {
	require.Equal(t, "0 files", Count(0, "file"))
	require.Equal(t, "1 file", Count(1, "file"))
	require.Equal(t, "1234 files", Count(1234, "file"))
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", 1_000_000: "1,000,000", -1: "-1",
		-999: "-999", 9_223_372_036_854_775_807: "9,223,372,036,854,775,807", -123: "-123", -1234: "-1,234",
	} {
		require.Equal(t, want, Thousands(n))
	}
}

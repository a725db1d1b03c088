package plaintext

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"empty":                          {"", ""},
		"a byte":                         {"a", "a"},
		"UTF-8":                          {"1 µs\n", "1 µs\n"},
		"UTF-8 with a mark":              {"\xef\xbb\xbfname: x", "name: x"},
		"a mark alone":                   {"\xef\xbb\xbf", ""},
		"a mark elsewhere is text":       {"a\xef\xbb\xbf", "a\ufeff"},
		"UTF-16, little end first":       {"\xff\xfea\x00\xb5\x00\n\x00", "aµ\n"},
		"UTF-16, big end first":          {"\xfe\xff\x00a\x00\xb5\x00\n", "aµ\n"},
		"UTF-16 without a mark":          {"a\x00\xb5\x00", "aµ"},
		"UTF-16 without a mark, big end": {"\x00a\x00\xb5", "aµ"},
		"a surrogate pair":               {"\xff\xfe\x3d\xd8\x00\xde", "😀"},
		"half a surrogate pair":          {"\xff\xfe\x3d\xd8", "\ufffd"},
		"cut in a character":             {"\xff\xfea\x00b", "a\ufffd"},
		"neither, and left as it is":     {"a\xffb", "a\xffb"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, string(Decode([]byte(row.text))))
			slow, err := io.ReadAll(Reader(iotest.OneByteReader(strings.NewReader(row.text))))
			require.NoError(t, err)
			require.Equal(t, row.want, string(slow))
		})
	}
}

func TestReaderKeepsAnError(t *testing.T) {
	_, err := io.ReadAll(Reader(iotest.ErrReader(io.ErrClosedPipe)))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

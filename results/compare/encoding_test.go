package compare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results/baseline"
)

// encodings returns text in encodings that programs on Windows write.
func encodings(text string) map[string]string {
	var little strings.Builder
	little.WriteString("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		little.WriteByte(byte(unit))
		little.WriteByte(byte(unit >> 8))
	}
	return map[string]string{"UTF-8 with a mark": "\ufeff" + text, "UTF-16 as PowerShell writes it": little.String()}
}

// TestInputEncodings checks that the first line of a file is read after a byte order mark, and in
// UTF-16, in every kind of input.
func TestInputEncodings(t *testing.T) {
	samples := "BenchmarkA-2 10 5 ns/op\nBenchmarkA-2 10 6 ns/op\n"
	for name, text := range encodings(samples) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "new.txt")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			f, err := baseline.ReadBenchmarkFile(path)
			require.NoError(t, err)
			require.Len(t, f.Samples, 2)
			in, err := Open(path)
			require.NoError(t, err)
			c, err := Inputs([]Input{in}, Options{})
			require.NoError(t, err)
			require.Equal(t, 2, c.Tables[0].Rows[0].Cells[0].N)
			in, err = Read(strings.NewReader(text), "-")
			require.NoError(t, err)
			c, err = Inputs([]Input{in}, Options{})
			require.NoError(t, err)
			require.Equal(t, 2, c.Tables[0].Rows[0].Cells[0].N)
		})
	}
	for name, text := range encodings(baselineText(t, testBaseline())) {
		t.Run("a page, "+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), baseline.FileName)
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			b, err := baseline.Read(path)
			require.NoError(t, err)
			require.Equal(t, testBaseline().Scenarios[0].Records, b.Scenarios[0].Records)
		})
	}
}

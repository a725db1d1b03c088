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

// encodings writes text as programs on Windows do.
func encodings(text string) map[string]string {
	var little strings.Builder
	little.WriteString("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		little.WriteByte(byte(unit))
		little.WriteByte(byte(unit >> 8))
	}
	return map[string]string{"UTF-8 with a mark": "\ufeff" + text, "UTF-16 as PowerShell writes it": little.String()}
}

// TestInputEncodings: the first line counts, whatever stands before it, for every file that is
// read.
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

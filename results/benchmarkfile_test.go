package results

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchText returns the output of go test with six samples of each benchmark.
func benchText(cpu string, procs int, of map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: linux\ngoarch: amd64\npkg: example.com/m\ncpu: %s\n", cpu)
	for name, values := range of {
		for range 6 {
			fmt.Fprintf(&b, "Benchmark%s-%d 100 %s\n", name, procs, values)
		}
	}
	return b.String() + "PASS\nok example.com/m 1.2s\n"
}

func TestParseBenchmarkFile(t *testing.T) {
	f, err := ParseBenchmarkFile("bench.txt",
		[]byte("noise\n"+benchText("A", 2, map[string]string{"X": "1 ns/op"})+
			"BenchmarkDamaged-2 5 n\nBenchmarkNaN-2 5 NaN ns/op\n"))
	require.NoError(t, err)
	require.Len(t, f.Samples, 6)
	require.Equal(t, "linux/amd64 A", f.System)
	require.Len(t, f.Warnings, 4, "each damaged line, and how many samples are left")
	require.Contains(t, f.Warnings[3], "NaN-2 has 0 of 1 sample")
	_, err = ParseBenchmarkFile("x", []byte("PASS\n"))
	var e *InputError
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "holds no benchmark results")
}

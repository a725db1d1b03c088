package results

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchText is what go test prints of six samples a benchmark.
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

func benchFile(t *testing.T, text string) *BenchmarkFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bench.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := ReadBenchmarkFile(path)
	require.NoError(t, err)
	return f
}

func TestCompareBenchmarks(t *testing.T) {
	base := benchText("A", 2, map[string]string{"X/size=1": "100 ns/op 64 B/op 90 allocs/op 5 probes/op"})
	for name, c := range map[string]struct {
		now      string
		portable bool
		want     Verdict
		rows     map[string]Verdict
	}{
		"the same":                   {base, true, Pass, map[string]Verdict{"allocs/op": Pass, "ns/op": ""}},
		"an allocation in 90 more":   {strings.ReplaceAll(base, "90 allocs", "91 allocs"), true, Regressed, map[string]Verdict{"allocs/op": Regressed}},
		"an allocation less":         {strings.ReplaceAll(base, "90 allocs", "89 allocs"), true, Improved, nil},
		"once in six one more":       {strings.Replace(base, "90 allocs", "91 allocs", 1), true, Pass, nil},
		"twice the bytes":            {strings.ReplaceAll(base, "64 B", "128 B"), true, Regressed, nil},
		"another machine":            {strings.ReplaceAll(benchText("B", 8, map[string]string{"X/size=1": "1 ns/op 64 B/op 90 allocs/op"}), "x", "x"), true, Pass, map[string]Verdict{"ns/op": ""}},
		"gone":                       {benchText("A", 2, map[string]string{"Y": "100 ns/op 0 B/op 0 allocs/op"}), true, Regressed, map[string]Verdict{"allocs/op": Regressed}},
		"slower, and times asked":    {strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), false, Regressed, map[string]Verdict{"ns/op": Regressed, "probes/op": ""}},
		"slower, and no times asked": {strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), true, Pass, nil},
		"slower elsewhere":           {strings.ReplaceAll(strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), "cpu: A", "cpu: B"), false, Pass, map[string]Verdict{"ns/op": ""}},
	} {
		got := CompareBenchmarks(benchFile(t, base), benchFile(t, c.now), nil, c.portable)
		require.Equal(t, c.want, got.Judgement.Verdict, "%s: %s", name, got.Judgement.Reason)
		for unit, want := range c.rows {
			found := false
			for _, r := range got.Judgement.Rows {
				if r.Unit == unit && r.Op == "X/size=1" {
					require.Equal(t, want, r.Verdict, "%s %s: %s", name, unit, r.Note)
					found = true
				}
			}
			require.True(t, found, "%s %s", name, unit)
		}
	}
	kept := CompareBenchmarks(benchFile(t, base), benchFile(t, benchText("A", 2, map[string]string{"Y": "1 ns/op"})), func(s BenchmarkSample) bool { return s.Name == "Y" }, true)
	require.Equal(t, Verdict(""), kept.Judgement.Verdict, "nothing of the base was kept, so nothing is judged")
}

func TestReadBenchmarkFile(t *testing.T) {
	f := benchFile(t, "noise\n"+benchText("A", 2, map[string]string{"X": "1 ns/op"})+"BenchmarkDamaged-2 5 n\nBenchmarkNaN-2 5 NaN ns/op\n")
	require.Len(t, f.Samples, 6)
	require.Equal(t, "linux/amd64 A", f.System)
	require.Len(t, f.Warnings, 2)
	for problem, text := range map[string]string{"holds no benchmark results": "PASS\n"} {
		path := filepath.Join(t.TempDir(), "x")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := ReadBenchmarkFile(path)
		var e *InputError
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, problem)
	}
	_, err := ReadBenchmarkFile(filepath.Join(t.TempDir(), "missing"))
	require.ErrorContains(t, err, "can't be opened")
}

package results

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseGoBenchmarks(t *testing.T) {
	got, err := ParseGoBenchmarks(goBenchmarkLines())
	require.NoError(t, err)
	parse := []Value{{"ns/op", 15500}, {"B/op", 120}, {"allocs/op", 3}}
	require.Equal(t, []BenchmarkSample{
		{"example.com/parse", "Parse", 2, 10000, parse},
		{"example.com/parse", "Parse", 2, 10000, []Value{{"ns/op", 16500}, {"B/op", 120}, {"allocs/op", 3}}},
		{"example.com/parse", "Parse/size=1MB", 2, 500,
			[]Value{{"ns/op", 2e6}, {"MB/s", 524.29}, {"B/op", 120}, {"allocs/op", 3}}},
		{"example.com/parse", "Tokens", 2, 500, []Value{{"ns/op", 200.5}, {"tokens/op", 7}}},
		{"example.com/write", "Parse", 2, 500, []Value{{"ns/op", 0.25}}},
	}, got)
	v, ok := got[3].Value("tokens/op")
	require.True(t, ok)
	require.Equal(t, 7., v)

	// With GOMAXPROCS=1, a name doesn't end in a number.
	got, err = ParseGoBenchmarks([]string{"BenchmarkParse 1 2 ns/op"})
	require.NoError(t, err)
	require.Equal(t, []BenchmarkSample{{"", "Parse", 1, 1, []Value{{"ns/op", 2}}}}, got)
}

func TestParseGoBenchmarks_refuses(t *testing.T) {
	good := "BenchmarkParse-2 1 2 ns/op"
	for name, c := range map[string]struct {
		lines []string
		line  int
		want  string
	}{
		"an empty line":         {[]string{good, ""}, 2, "neither a benchmark"},
		"go test's summary":     {[]string{good, "PASS"}, 2, "neither a benchmark"},
		"a name alone":          {[]string{"goos: linux", "BenchmarkParse"}, 2, "want a name, a count"},
		"text in the middle":    {[]string{good, good, "BenchmarkParse-2 hello and more"}, 3, "iteration count"},
		"half a value":          {[]string{"BenchmarkParse-2 1 2 ns/op 7"}, 1, "missing units"},
		"no number":             {[]string{good, "BenchmarkParse-2 1 NaN ns/op"}, 2, "ns/op is NaN: want a finite number"},
		"infinitely many":       {[]string{"BenchmarkParse-2 1 +Inf x/op"}, 1, "want a finite number"},
		"a unit twice":          {[]string{"BenchmarkParse-2 1 2 ns/op 3 ns/op"}, 1, "ns/op is given twice"},
		"no name":               {[]string{"Benchmark-2 1 2 ns/op"}, 1, "the benchmark has no name"},
		"units that contradict": {[]string{"Unit x better=lower", "Unit x better=higher"}, 2, "already set to lower"},
		"a carriage return":     {[]string{good + "\r"}, 1, "carriage return"},
		"a very long line":      {[]string{good, good + " 1 " + strings.Repeat("x", 70_000)}, 2, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseGoBenchmarks(c.lines)
			var line *LineError
			require.ErrorAs(t, err, &line)
			require.Equal(t, c.line, line.Line)
			require.Contains(t, err.Error(), c.want)
		})
	}
}

func TestSummaries(t *testing.T) {
	all := testGoBenchmarks(t)[0].Summaries()
	require.Len(t, all, 4)
	require.Equal(t, "Parse", all[0].Name)
	require.Equal(t, 2, all[0].Samples)
	ns, ok := all[0].Unit("ns/op")
	require.True(t, ok)
	require.Equal(t, 16000., ns.Median) // between 15,500 and 16,500
	require.Equal(t, "∞", ns.Interval(), "two samples bound no median with 95% confidence")
	allocs, ok := all[0].Unit("allocs/op")
	require.True(t, ok)
	require.Equal(t, 3., allocs.Median)
	_, ok = all[0].Unit("MB/s")
	require.False(t, ok)
	require.Equal(t, "example.com/write", all[3].Package, "a package has its own benchmark of the same name")
}

func TestIsBenchmarkLine(t *testing.T) {
	for line, want := range map[string]bool{
		"BenchmarkPush-2 100 5 ns/op": true, "Benchmarks are nice": true, "Unit ns/op better=lower": true, "Unit": true,
		"Units are nice": false,
		"goos: linux":    true, "note:": true, "http://example": false, "key:value": false, "key:\tvalue": true,
		"two words: x": false, "Key: x": false, "kEy: x": false,
		"ärger: x": true, " key: x": false, "- key: x": false, "": false, "x": false, ":": false,
	} {
		require.Equal(t, want, IsBenchmarkLine(line), "%q", line)
	}
}

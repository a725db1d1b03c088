package results

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
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
		{"example.com/parse", "Parse/size=1MB", 2, 500, []Value{{"ns/op", 2e6}, {"MB/s", 524.29}, {"B/op", 120}, {"allocs/op", 3}}},
		{"example.com/parse", "Tokens", 2, 500, []Value{{"ns/op", 200.5}, {"tokens/op", 7}}},
		{"example.com/write", "Parse", 2, 500, []Value{{"ns/op", 0.25}}},
	}, got)
	v, ok := got[3].Value("tokens/op")
	require.True(t, ok)
	require.Equal(t, 7., v)

	// With GOMAXPROCS=1 a name has no number at its end.
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

// TestBaselineWithDamagedBenchmarks: what is wrong with a line of go test is told with its line of
// the page, and what contradicts the facts is no page either.
func TestBaselineWithDamagedBenchmarks(t *testing.T) {
	b := testBaseline()
	b.Benchmarks = testGoBenchmarks(t)
	text := baselineText(t, b)
	lineOf := func(line string) int {
		before, _, found := strings.Cut(text, line)
		require.True(t, found, line)
		return strings.Count(before, "\n") + 1
	}
	first := lineOf("BenchmarkParse-2            \t   10000\t     15500 ns/op")
	for _, c := range []struct {
		name, from, to string
		line           int
		want           string
	}{
		{"a damaged number", "15500 ns/op", "15S00 ns/op", first, "damaged line of a Go benchmark (parsing measurement"},
		{"text in the middle", "15500 ns/op", "hello", first, "damaged line of a Go benchmark"},
		{"a line of something else", "goarch: amd64\npkg: example.com/parse", "ok\npkg: example.com/parse", first - 3, "neither a benchmark, a unit nor a configuration line"},
		{"a sample that is gone", "BenchmarkTokens-2           \t     500\t    200.5 ns/op\t       7.000 tokens/op\n", "", lineOf("<!-- fleetmark:benchmarks 1 -->") + 4, "cut short (10 lines with 4 samples, and the facts say 11 with 5)"},
		{"a block that is gone", "<!-- fleetmark:benchmarks 2 -->\n", "", strings.Count(text, "\n") - 1, "lacks block 2 of Go benchmarks"},
		{"another number", "15500 ns/op", "15400 ns/op", 0, "edited by hand"},
		{"another processor", "cpu: Example", "cpu: Other", 0, "edited by hand"},
		{"another command", "-bench Parse", "-bench Write", 0, "edited by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, text, c.from)
			_, err := readText(t, strings.Replace(text, c.from, c.to, 1))
			requireInput(t, err, c.line, c.want)
			require.Equal(t, c.line == 0, errors.Is(err, ErrEdited))
		})
	}
}

func TestWriteBaselineRefusesBenchmarks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*GoBenchmarks)
		want   string
	}{
		"without a command": {func(g *GoBenchmarks) { g.Command = "" }, "want the command"},
		"without samples":   {func(g *GoBenchmarks) { g.Lines, g.Samples = g.Lines[:4], nil }, "no samples"},
		"that differ":       {func(g *GoBenchmarks) { g.Samples = g.Samples[1:] }, "want the samples that the lines hold"},
		"with other lines":  {func(g *GoBenchmarks) { g.Lines[0] = "```" }, "neither a benchmark"},
		"that are NaN":      {func(g *GoBenchmarks) { g.Samples[0].Values[0].Value = math.NaN() }, "want the samples that the lines hold"},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBaseline()
			b.Benchmarks = testGoBenchmarks(t)
			c.change(&b.Benchmarks[0])
			require.ErrorContains(t, WriteBaseline(&strings.Builder{}, b), c.want)
		})
	}
}

// TestFactsFitIntoALine: a line of more than 64 KiB is one that benchstat ends at.
func TestFactsFitIntoALine(t *testing.T) {
	b := testBaseline()
	b.Sections = []Section{{Name: "large", Title: "Large", Figures: map[string]float64{}}}
	for i := range 3000 {
		b.Sections[0].Figures[strings.Repeat("x", 30)+string(rune('a'+i%26))+strings.Repeat("y", i/26)] = float64(i)
	}
	text := baselineText(t, b)
	results, _ := readAsBenchstat(t, text)
	require.Len(t, results, 20)
	got, err := readText(t, text)
	require.NoError(t, err)
	require.Equal(t, b.Sections, got.Sections)
}

// TestBenchstatReadsThePage runs the real benchstat on a page, beside a new file of scenario samples
// and beside a new file of Go benchmarks, each of the machine that the page was measured on.
func TestBenchstatReadsThePage(t *testing.T) {
	b := testBaseline()
	var lines []string
	for _, ns := range []string{"15500", "15510", "15520", "15530", "15540", "15550"} {
		lines = append(lines, "BenchmarkPush-2 100 "+ns+" ns/op 24 B/op 1 allocs/op")
	}
	head := []string{"goos: linux", "goarch: amd64", "pkg: github.com/fleetmark/fleetmark/delivery", "cpu: Example CPU @ 3.00GHz"}
	g := GoBenchmarks{Command: "go test -bench Push", Lines: append(append([]string{}, head...), lines...)}
	var err error
	g.Samples, err = ParseGoBenchmarks(g.Lines)
	require.NoError(t, err)
	b.Benchmarks = []GoBenchmarks{g}
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("page.md", baselineText(t, b))
	write("scenarios.txt", samplesText(t, rolloutRecords(2, 10, 1)...))
	slower := strings.ReplaceAll(strings.Join(g.Lines, "\n"), " 155", " 311")
	write("go.txt", slower+"\nPASS\nok  \tgithub.com/fleetmark/fleetmark/delivery\t1.2s\n")
	write("elsewhere.txt", strings.Replace(slower, "Example CPU", "Other CPU", 1)+"\n")

	// 31,1xx against 15,5xx, all of six above all of six: p = 2/C(12,6) = 0.002.
	require.Regexp(t, regexp.MustCompile(`(?m)^Push-2 +15\.5\dµ ± 0% +31\.1\dµ ± 0% +\+100\.\d+% \(p=0\.002 n=6\)$`), benchstat(t, dir, "page.md", "go.txt"))
	both := benchstat(t, dir, "page.md", "scenarios.txt")
	require.Regexp(t, regexp.MustCompile(`(?m)^Scenario/rollout/op=push-2 +13\.\d+µ ± +\d+% +13\.\d+µ ± +\d+% .*\(p=0\.\d+ n=10\)$`), both)
	require.Regexp(t, regexp.MustCompile(`(?m)^Push-2 +15\.5\dµ ± 0% *$`), both, "in a table of its own, for it has a cpu line")
	// Times of another processor stay apart: no p anywhere.
	require.NotContains(t, benchstat(t, dir, "page.md", "elsewhere.txt"), "(p=")
}

// FuzzParseGoBenchmarks: lines that are taken hold as many samples as lines of results, and come back
// from a page as they were.
func FuzzParseGoBenchmarks(f *testing.F) {
	f.Add(strings.Join(goBenchmarkLines(), "\n"))
	f.Add("BenchmarkX 1 1 ns/op\nUnit ns/op better=lower assume=exact")
	f.Add("note:\ncpu:\nBenchmark-1 1 1 x")
	f.Add("BenchmarkX-2 \thello")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		samples, err := ParseGoBenchmarks(lines)
		if err != nil {
			var line *LineError
			require.ErrorAs(t, err, &line)
			require.LessOrEqual(t, line.Line, len(lines))
			require.Positive(t, line.Line)
			return
		}
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "Benchmark") {
				n++
			}
		}
		require.Len(t, samples, n)
		if n == 0 {
			return
		}
		b := testBaseline()
		b.Benchmarks = []GoBenchmarks{{Command: "go test", Lines: lines, Samples: samples}}
		got, err := ParseBaseline([]byte(baselineText(t, b)), "page")
		require.NoError(t, err)
		require.Equal(t, b.Benchmarks, got.Benchmarks)
	})
}

func TestIsBenchmarkLine(t *testing.T) {
	for line, want := range map[string]bool{
		"BenchmarkPush-2 100 5 ns/op": true, "Benchmarks are nice": true, "Unit ns/op better=lower": true, "Unit": true, "Units are nice": false,
		"goos: linux": true, "note:": true, "http://example": false, "key:value": false, "key:\tvalue": true, "two words: x": false, "Key: x": false, "kEy: x": false,
		"ärger: x": true, " key: x": false, "- key: x": false, "": false, "x": false, ":": false,
	} {
		require.Equal(t, want, IsBenchmarkLine(line), "%q", line)
	}
}

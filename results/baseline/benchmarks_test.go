package baseline

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestParse_damagedBenchmarks checks that an error about a damaged line of go test names the line
// of the page, and that a block that contradicts the facts is refused.
func TestParse_damagedBenchmarks(t *testing.T) {
	b := testPage()
	b.Benchmarks = testGoBenchmarks(t)
	text := pageText(t, b)
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
		{"a line of something else", "goarch: amd64\npkg: example.com/parse", "ok\npkg: example.com/parse", first - 3,
			"neither a benchmark, a unit nor a configuration line"},
		{"a sample that is gone", "BenchmarkTokens-2           \t     500\t    200.5 ns/op\t       7.000 tokens/op\n", "",
			lineOf("<!-- fleetmark:benchmarks 1 -->") + 4, "cut short (10 lines with 4 samples, and the facts say 11 with 5)"},
		{"a block that is gone", "<!-- fleetmark:benchmarks 2 -->\n", "", strings.Count(text, "\n") - 1,
			"lacks block 2 of Go benchmarks"},
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

func TestWrite_refusesBenchmarks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*results.GoBenchmarks)
		want   string
	}{
		"without a command": {func(g *results.GoBenchmarks) { g.Command = "" }, "want the command"},
		"without samples":   {func(g *results.GoBenchmarks) { g.Lines, g.Samples = g.Lines[:4], nil }, "no samples"},
		"that differ": {func(g *results.GoBenchmarks) { g.Samples = g.Samples[1:] },
			"want the samples that the lines hold"},
		"with other lines": {func(g *results.GoBenchmarks) { g.Lines[0] = "```" }, "neither a benchmark"},
		"that are NaN": {func(g *results.GoBenchmarks) { g.Samples[0].Values[0].Value = math.NaN() },
			"want the samples that the lines hold"},
	} {
		t.Run(name, func(t *testing.T) {
			b := testPage()
			b.Benchmarks = testGoBenchmarks(t)
			c.change(&b.Benchmarks[0])
			require.ErrorContains(t, Write(&strings.Builder{}, b), c.want)
		})
	}
}

// TestWrite_longFacts checks that the facts of a large section are on several lines, since
// benchstat's reader stops at a line of more than 64 KiB.
func TestWrite_longFacts(t *testing.T) {
	b := testPage()
	b.Sections = []Section{{Name: "large", Title: "Large", Figures: map[string]float64{}}}
	for i := range 3000 {
		b.Sections[0].Figures[strings.Repeat("x", 30)+string(rune('a'+i%26))+strings.Repeat("y", i/26)] = float64(i)
	}
	text := pageText(t, b)
	results, _ := readAsBenchstat(t, text)
	require.Len(t, results, 20)
	got, err := readText(t, text)
	require.NoError(t, err)
	require.Equal(t, b.Sections, got.Sections)
}

// TestWrite_benchstatReadsThePage runs benchstat on a page, beside a new file of scenario samples
// and beside new files of Go benchmarks, of the page's machine and of another one.
func TestWrite_benchstatReadsThePage(t *testing.T) {
	b := testPage()
	var lines []string
	for _, ns := range []string{"15500", "15510", "15520", "15530", "15540", "15550"} {
		lines = append(lines, "BenchmarkPush-2 100 "+ns+" ns/op 24 B/op 1 allocs/op")
	}
	head := []string{"goos: linux", "goarch: amd64", "pkg: github.com/fleetmark/fleetmark/delivery",
		"cpu: Example CPU @ 3.00GHz"}
	g := results.GoBenchmarks{Command: "go test -bench Push", Lines: append(append([]string{}, head...), lines...)}
	var err error
	g.Samples, err = results.ParseGoBenchmarks(g.Lines)
	require.NoError(t, err)
	b.Benchmarks = []results.GoBenchmarks{g}
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("page.md", pageText(t, b))
	write("scenarios.txt", samplesText(t, rolloutRecords(2, 10, 1)...))
	slower := strings.ReplaceAll(strings.Join(g.Lines, "\n"), " 155", " 311")
	write("go.txt", slower+"\nPASS\nok  \tgithub.com/fleetmark/fleetmark/delivery\t1.2s\n")
	write("elsewhere.txt", strings.Replace(slower, "Example CPU", "Other CPU", 1)+"\n")

	// Each of six values is larger than each of the other six, so p = 2/C(12,6) = 0.002.
	require.Regexp(t, regexp.MustCompile(`(?m)^Push-2 +15\.5\dµ ± 0% +31\.1\dµ ± 0% +\+100\.\d+% \(p=0\.002 n=6\)$`),
		benchstat(t, dir, "page.md", "go.txt"))
	both := benchstat(t, dir, "page.md", "scenarios.txt")
	require.Regexp(t, regexp.MustCompile(`(?m)^Scenario/rollout/op=push-2 +13\.\d+µ ± +\d+% +13\.\d+µ ± +\d+% .*\(p=0\.\d+ n=10\)$`), both)
	require.Regexp(t, regexp.MustCompile(`(?m)^Push-2 +15\.5\dµ ± 0% *$`), both,
		"in a table of its own, since it has a cpu line")
	// Times of another processor aren't compared, so there is no p.
	require.NotContains(t, benchstat(t, dir, "page.md", "elsewhere.txt"), "(p=")
}

// TestReadBenchmarkFile reads the output of go test and a page, and refuses other files.
func TestReadBenchmarkFile(t *testing.T) {
	b := testPage()
	without := pageText(t, b)
	b.Benchmarks = testGoBenchmarks(t)
	for name, text := range map[string]string{
		"what go test printed": strings.Join(slices.Concat(b.Benchmarks[0].Lines, b.Benchmarks[1].Lines), "\n") + "\nPASS\n",
		"a page":               pageText(t, b),
	} {
		f, err := ReadBenchmarkFile(writeTemp(t, "file", text))
		require.NoError(t, err, name)
		require.Equal(t, slices.Concat(b.Benchmarks[0].Samples, b.Benchmarks[1].Samples), f.Samples, name)
		again, err := ReadBenchmarks(strings.NewReader(text), f.Path)
		require.NoError(t, err, name)
		require.Equal(t, f, again, name)
	}
	for problem, text := range map[string]string{
		"holds no benchmark results": "PASS\n", "holds no Go benchmarks": without, "cut short": without[:len(without)/2],
	} {
		_, err := ReadBenchmarkFile(writeTemp(t, "file", text))
		var e *results.InputError
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, problem)
	}
	_, err := ReadBenchmarkFile(filepath.Join(t.TempDir(), "missing"))
	require.ErrorContains(t, err, "can't be opened")
}

// FuzzBenchmarks checks that lines that are accepted hold as many samples as result lines, and read
// back from a page unchanged.
func FuzzBenchmarks(f *testing.F) {
	f.Add(strings.Join(goBenchmarkLines(), "\n"))
	f.Add("BenchmarkX 1 1 ns/op\nUnit ns/op better=lower assume=exact")
	f.Add("note:\ncpu:\nBenchmark-1 1 1 x")
	f.Add("BenchmarkX-2 \thello")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		samples, err := results.ParseGoBenchmarks(lines)
		if err != nil {
			var line *results.LineError
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
		b := testPage()
		b.Benchmarks = []results.GoBenchmarks{{Command: "go test", Lines: lines, Samples: samples}}
		got, err := Parse([]byte(pageText(t, b)), "page")
		require.NoError(t, err)
		require.Equal(t, b.Benchmarks, got.Benchmarks)
	})
}

package compare

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results/baseline"

	"github.com/fleetmark/fleetmark/results"
)

// benchstatPath builds the benchstat that go.mod names, the oracle of this file, and returns its
// path.
var benchstatPath = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "tool", "-n", "benchstat")
	cmd.Dir = moduleDir
	path, err := cmd.Output()
	return strings.TrimSpace(string(path)), err
})

func benchstat(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := benchstatPath()
	require.NoError(t, err, "go tool -n benchstat")
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

// lines returns a benchmark line for each value.
func lines(name, unit string, values ...float64) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "Benchmark%s 100 %v %s\n", name, v, unit)
	}
	return b.String()
}

func spread(from, step float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = from + step*float64(i)
	}
	return values
}

const config = "goos: linux\ngoarch: amd64\npkg: example\n\n"

type compareCase struct {
	name    string
	files   map[string]string
	args    []string // arguments of both programs: labels and files
	flags   []string // of benchstat, which say the same as options
	options Options
}

func compareCases(t *testing.T) []compareCase {
	two := func(old, new string) map[string]string { return map[string]string{"old": old, "new": new} }
	oldNew := []string{"old", "new"}
	exact := "Unit failed/device assume=exact better=lower\n"
	cases := []compareCase{
		{name: "a difference", files: two(config+lines("A", "ns/op", spread(100, 1, 10)...)+lines("B", "ns/op",
			spread(1e6, 1e3, 10)...), config+lines("A", "ns/op", spread(120, 1, 10)...)+lines("B", "ns/op",
			spread(1e6, 1.1e3, 10)...))},
		{name: "better is higher", files: two("Unit w/s better=higher\n"+lines("A", "w/s", spread(100, 1, 6)...),
			lines("A", "w/s", spread(80, 1, 6)...))},
		{name: "ties", files: two(lines("A", "ns/op", 1, 1, 1, 2, 2, 2, 3), lines("A", "ns/op", 1, 2, 2, 2, 3, 3, 3))},
		{name: "all equal", files: two(lines("A", "allocs/op", 3, 3, 3, 3, 3), lines("A", "allocs/op", 3, 3, 3, 3, 3))},
		{name: "one sample each", files: two(lines("A", "ns/op", 5), lines("A", "ns/op", 6))},
		{name: "three samples each", files: two(lines("A", "B/op", 5, 6, 7), lines("A", "B/op", 16, 17, 18))},
		{name: "uneven sizes", files: two(lines("A", "ns/op", spread(10, 1, 4)...),
			lines("A", "ns/op", spread(20, 1, 9)...))},
		{name: "large samples", files: two(lines("A", "ns/op", spread(100, .5, 70)...),
			lines("A", "ns/op", spread(103, .5, 70)...))},
		{name: "a row missing now", files: two(lines("A", "ns/op", spread(10, 1, 6)...)+lines("B", "ns/op",
			spread(10, 1, 6)...), lines("A", "ns/op", spread(11, 1, 6)...))},
		{name: "a row new now", files: two(lines("A", "ns/op", spread(10, 1, 6)...),
			lines("A", "ns/op", spread(11, 1, 6)...)+lines("B", "ns/op", spread(10, 1, 6)...))},
		{name: "nothing in common", files: two(lines("A", "ns/op", spread(10, 1, 6)...),
			lines("B", "ns/op", spread(11, 1, 6)...))},
		{name: "zeros", files: two(lines("Z", "x", 0, 0, 0, 0, 0, 0)+lines("ZtoN", "x", 0, 0, 0, 0, 0, 0)+lines("NtoZ", "x",
			7, 7, 7, 7, 7, 7), lines("Z", "x", 0, 0, 0, 0, 0, 0)+lines("ZtoN", "x", 7, 7, 7, 7, 7, 7)+lines("NtoZ", "x", 0, 0,
			0, 0, 0, 0))},
		{name: "zero nanoseconds", files: two(lines("A", "ns/op", 5, 0, 7), lines("A", "ns/op", 0, 5, 6))},
		{name: "negative values", files: two(lines("A", "drift", -3, -2, -1, 0, 1, 2),
			lines("A", "drift", 1, 2, 3, 4, 5, 6))},
		{name: "exact and equal", files: two(exact+lines("A", "failed/device", 2, 2), exact+lines("A", "failed/device", 2))},
		{name: "exact and changed", files: two(exact+lines("A", "failed/device", 2, 2),
			exact+lines("A", "failed/device", 3, 3, 3))},
		{name: "exact but varying", files: two(exact+lines("A", "failed/device", 2, 3, 3),
			exact+lines("A", "failed/device", 4, 5))},
		{name: "several units", files: two("BenchmarkA-2 10 5 ns/op 3 MB/s 7 B/op 1 allocs/op 9 p99-ns/op\nBenchmarkA-2 10 6 ns/op 3 MB/s 7 B/op 1 allocs/op 8 p99-ns/op\n", "BenchmarkA-2 10 6 ns/op 2 MB/s 7 B/op 2 allocs/op 9 p99-ns/op\n")},
		{name: "two configurations", files: two("pkg: one\n"+lines("A", "ns/op", spread(10, 1, 6)...)+"pkg: two\n"+
			lines("A", "ns/op", spread(20, 1, 6)...), "pkg: one\n"+lines("A", "ns/op", spread(12, 1, 6)...))},
		{name: "the configurations differ", files: two("cpu: one\n"+lines("A", "ns/op", 1),
			"cpu: two\n"+lines("A", "ns/op", 1))},
		{name: "damaged and foreign lines", files: two("=== RUN x\nBenchmarkA 10 5 ns/op\nBenchmarkB\nBenchmarkC x\nBenchmarkD 10 5\nok example 1s\nPASS\n", "BenchmarkA 10 6 ns/op\n")},
		{name: "no line break at the end", files: two("BenchmarkA 10 5 ns/op", "BenchmarkA 10 6 ns/op")},
		{name: "carriage returns", files: two("pkg: p\r\nBenchmarkA 10 5 ns/op\r\n", "pkg: p\nBenchmarkA 10 6 ns/op\n")},
		{name: "one input", files: map[string]string{"old": lines("A", "ns/op", spread(10, 1, 8)...)}, args: []string{"old"}},
		{name: "three inputs", files: map[string]string{"a": lines("A", "ns/op", spread(10, 1, 8)...),
			"b": lines("A", "ns/op", spread(20, 1, 8)...), "c": lines("A", "ns/op", spread(5, 1, 8)...)},
			args: []string{"a", "b", "c"}},
		{name: "the same path twice", files: map[string]string{"old": lines("A", "ns/op", spread(10, 1, 8)...)},
			args: []string{"old", "old"}},
		{name: "labels", files: two(lines("A", "ns/op", spread(10, 1, 8)...), lines("A", "ns/op", spread(20, 1, 8)...)),
			args: []string{"before=old", "after=new"}},
		{name: "one label twice", files: two(lines("A", "ns/op", spread(10, 1, 8)...),
			lines("A", "ns/op", spread(20, 1, 8)...)), args: []string{"all=old", "all=new"}},
		{name: "table by one key, so that others vary",
			files: two("goos: linux\npkg: one\n"+lines("A", "ns/op", spread(10, 1, 6)...),
				"goos: linux\npkg: one\n"+lines("A", "ns/op", 1, 2, 3)+"pkg: two\n"+lines("A", "ns/op", 4, 5, 6)),
			flags: []string{"-table", "goos"}, options: Options{Table: "goos"}},
		{name: "ignore", files: two("pkg: one\n"+lines("A", "ns/op", spread(10, 1, 6)...),
			"pkg: two\n"+lines("A", "ns/op", spread(10, 2, 6)...)), flags: []string{"-table", "goos", "-ignore", "pkg"},
			options: Options{Table: "goos", Ignore: "pkg"}},
		{name: "rows, columns and filter", files: two(lines("A/x=1/y=1", "ns/op", spread(10, 1, 6)...)+lines("A/x=2/y=1",
			"ns/op", spread(30, 1, 6)...)+lines("B/x=1", "ns/op", 1), ""), args: []string{"old"},
			flags:   []string{"-row", ".name", "-col", "/x", "-filter", ".name:A"},
			options: Options{Row: ".name", Col: "/x", Filter: ".name:A"}},
		{name: "other levels", files: two(lines("A", "ns/op", spread(100, 1, 8)...),
			lines("A", "ns/op", spread(104, 1, 8)...)), flags: []string{"-alpha", "0.001", "-confidence", "0.8"},
			options: Options{Alpha: 0.001, Confidence: 0.8}},
		{name: "our samples", files: two(samplesText(t, rolloutRecords(1, 10, 1)...),
			samplesText(t, rolloutRecords(2, 10, 1.1)...))},
		{name: "a baseline page and our samples",
			files: two(baselineText(t, testBaseline()), samplesText(t, rolloutRecords(2, 10, 1.1)...))},
		{name: "a baseline page with carriage returns",
			files: two(strings.ReplaceAll(baselineText(t, testBaseline()), "\n", "\r\n"),
				samplesText(t, rolloutRecords(3, 6, 1)...))},
	}
	for i := range cases {
		if cases[i].args == nil {
			cases[i].args = oldNew
		}
	}
	return cases
}

// TestCompareEqualsBenchstat compares every number with the output of benchstat, both in full
// precision and as text.
func TestCompareEqualsBenchstat(t *testing.T) {
	for _, c := range compareCases(t) {
		t.Run(c.name, func(t *testing.T) { requireEqualsBenchstat(t, c) })
	}
}

// TestCompareEqualsBenchstatOnRandomFiles does the same with random sizes, ties, and missing rows
// and units.
func TestCompareEqualsBenchstatOnRandomFiles(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 7))
		file := func() string {
			var b strings.Builder
			b.WriteString("Unit exact assume=exact\n")
			for range 1 + random.IntN(60) {
				fmt.Fprintf(&b, "Benchmark%c-2 1", 'A'+random.IntN(4))
				for _, unit := range []string{"ns/op", "MB/s", "exact", "B/op"} {
					if random.IntN(4) > 0 {
						fmt.Fprintf(&b, " %v %s", float64(random.IntN(12))*[]float64{1e-3, 1, 1e6}[random.IntN(3)], unit)
					}
				}
				b.WriteString(" 1 one\n")
			}
			return b.String()
		}
		requireEqualsBenchstat(t, compareCase{files: map[string]string{"old": file(), "new": file()},
			args: []string{"old", "new"}})
	}
}

func requireEqualsBenchstat(t *testing.T, c compareCase) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range c.files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	t.Chdir(dir) // so that both programs name the columns the same
	var inputs []Input
	for _, arg := range c.args {
		in, err := Open(arg)
		require.NoError(t, err)
		inputs = append(inputs, in)
	}
	got, err := Inputs(inputs, c.options)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, got.WriteText(&text, texttable.Style{}))
	for _, write := range []func(io.Writer) error{got.WriteMarkdown, got.WriteCSV, got.WriteJSON} {
		require.NoError(t, write(io.Discard))
	}

	wantCSV := parseBenchstatCSV(t, benchstat(t, dir,
		append(append([]string{"-format", "csv"}, c.flags...), c.args...)...))
	require.Equal(t, wantCSV, comparisonRows(got))
	wantText, wantNotes := textRows(benchstat(t, dir, append(append([]string{}, c.flags...), c.args...)...))
	gotText, gotNotes := textRows(text.String())
	require.NotEmpty(t, wantText)
	require.Equal(t, wantText, gotText, text.String())
	require.Equal(t, wantNotes, gotNotes)
}

// moduleDir is the directory of go.mod, where go tool must run even after a test has changed its
// directory.
var moduleDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// parseBenchstatCSV returns the rows of benchstat's CSV below the configuration lines: the two
// header rows, the benchmarks and the geomean of each table.
func parseBenchstatCSV(t *testing.T, text string) [][]string {
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	for i := range rows {
		rows[i] = trimRow(rows[i])
	}
	return rows
}

// comparisonRows returns a comparison in the rows of benchstat's CSV.
func comparisonRows(c *Comparison) [][]string {
	var rows [][]string
	var previous []ConfigValue
	for _, t := range c.Tables {
		for _, line := range changedConfig(t.Config, previous) {
			rows = append(rows, []string{line.Key + ": " + line.Value})
		}
		previous = t.Config
		labels, units := []string{""}, []string{""}
		for i, col := range t.Columns {
			labels, units = append(labels, col, ""), append(units, t.Unit, "CI")
			if i > 0 {
				labels, units = append(labels, "", ""), append(units, "vs base", "P")
			}
		}
		rows = append(rows, trimRow(labels), units)
		for _, r := range t.Rows {
			row := []string{r.Name}
			for i, cell := range r.Cells {
				cells := []string{"", ""}
				if cell != nil {
					cells = []string{fmt.Sprint(cell.Center), cell.Interval}
				}
				if i > 0 && cell != nil && cell.Compared {
					cells = append(cells, cell.Delta, cell.Test)
				} else if i > 0 {
					cells = append(cells, "", "")
				}
				row = append(row, cells...)
			}
			rows = append(rows, trimRow(row))
		}
		row := []string{"geomean"}
		for i, g := range t.Geomean {
			cells := []string{"", ""}
			if g.HasCenter {
				cells[0] = fmt.Sprint(g.Center)
			}
			if i > 0 && g.HasRatio {
				cells = append(cells, fmt.Sprintf("%+.2f%%", (g.Ratio-1)*100), "")
			} else if i > 0 {
				cells = append(cells, "?", "")
			}
			row = append(row, cells...)
		}
		rows = append(rows, trimRow(row))
	}
	return rows
}

func trimRow(row []string) []string {
	for len(row) > 1 && row[len(row)-1] == "" {
		row = row[:len(row)-1]
	}
	return row
}

var (
	footnoteMark = regexp.MustCompile(`[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\([0-9]+\)`)
	footnoteLine = regexp.MustCompile(`^(?:[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\([0-9]+\)) `)
)

// textRows returns the words of each row of a printed comparison, and its footnotes. It drops
// rules, headers, footnote marks and the words that benchstat doesn't print.
func textRows(text string) (rows [][]string, notes []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if mark := footnoteLine.FindString(line); mark != "" {
			notes = append(notes, strings.TrimPrefix(line, mark))
			continue
		}
		if !strings.Contains(line, " ± ") && !strings.HasPrefix(line, "geomean") {
			continue
		}
		line = footnoteMark.ReplaceAllString(line, "")
		words := strings.Fields(strings.ReplaceAll(line, "│", " "))
		for len(words) > 0 && (words[len(words)-1] == string(ChangedBetter) || words[len(words)-1] == string(ChangedWorse)) {
			words = words[:len(words)-1]
		}
		var kept []string
		for _, w := range words {
			if w != string(ChangedBetter) && w != string(ChangedWorse) {
				kept = append(kept, w)
			}
		}
		rows = append(rows, kept)
	}
	return rows, notes
}

func openAll(t *testing.T, texts ...string) []Input {
	t.Helper()
	var inputs []Input
	for i, text := range texts {
		in, err := Read(strings.NewReader(text), []string{"old", "new", "third"}[i])
		require.NoError(t, err)
		inputs = append(inputs, in)
	}
	return inputs
}

// TestCompareDirection checks whether a change is for the better, which benchstat doesn't say.
func TestCompareDirection(t *testing.T) {
	low, high := spread(10, .1, 8), spread(20, .1, 8)
	for _, c := range []struct {
		unit, header string
		old, new     []float64
		want         Change
	}{
		{"ns/op", "", low, high, ChangedWorse},
		{"ns/op", "", high, low, ChangedBetter},
		{"ns/op", "", low, low, ""},
		{"MB/s", "", low, high, ChangedBetter},
		{"ops/s", "", high, low, ChangedWorse}, // of our own metrics, without a Unit line
		{"p99-ns/op", "", low, high, ChangedWorse},
		{"widgets", "", low, high, ""},
		{"widgets", "Unit widgets better=higher\n", low, high, ChangedBetter},
		{"retries/device", "Unit retries/device assume=exact\n", []float64{0}, []float64{1},
			ChangedWorse}, // from zero, where the delta is "?"
		{"retries/device", "Unit retries/device assume=exact\n", []float64{1}, []float64{0}, ChangedBetter},
	} {
		got, err := Inputs(openAll(t, c.header+lines("A", c.unit, c.old...), lines("A", c.unit, c.new...)), Options{})
		require.NoError(t, err)
		require.Equal(t, c.want, got.Tables[0].Rows[0].Cells[1].Change, "%s %v to %v", c.unit, c.old[0], c.new[0])
		require.Equal(t, 1, got.Compared())
	}
}

func TestCompareSaysWhenNothingWasCompared(t *testing.T) {
	got, err := Inputs(openAll(t, lines("A", "ns/op", 1), lines("B", "ns/op", 1)), Options{})
	require.NoError(t, err)
	require.Zero(t, got.Compared())
	require.Contains(t, strings.Join(got.Warnings, "\n"), "nothing was compared")
}

func TestCompareWarnsOfZerosApart(t *testing.T) {
	got, err := Inputs(openAll(t, lines("A", "ns/op", 5), lines("A", "ns/op", 0)), Options{})
	require.NoError(t, err)
	require.Contains(t, strings.Join(got.Warnings, "\n"), "values of zero ns/op stand in a table apart from sec/op")
}

func TestCompareRefuses(t *testing.T) {
	open := func(texts ...string) []Input { return openAll(t, texts...) }
	for _, c := range []struct {
		name    string
		inputs  []Input
		options Options
		line    int
		want    string
	}{
		{"no inputs", nil, Options{}, -1, "no inputs"},
		{"an empty file", open(""), Options{}, 0, "holds no benchmark results"},
		{"prose", open("# hello\nworld\n"), Options{}, 0, "holds no benchmark results"},
		{"only damaged lines", open("BenchmarkA x\n"), Options{}, 0, "holds no benchmark results"},
		{"NaN", open("BenchmarkA 1 2 ns/op\nBenchmarkA 1 NaN ns/op\n"), Options{}, 2, "is NaN"},
		{"infinity", open("BenchmarkA 1 +Inf ns/op\n"), Options{}, 1, "is +Inf"},
		{"a filter that matches nothing", open(lines("A", "x", 1)), Options{Filter: ".name:B"}, -1,
			"the filter leaves no result"},
		{"a bad filter", open(lines("A", "x", 1)), Options{Filter: "("}, -1, "compare: filter"},
		{"a bad projection", open(lines("A", "x", 1)), Options{Row: "@"}, -1, "compare: row"},
		{"a bad alpha", open(lines("A", "x", 1)), Options{Alpha: 2}, -1, "alpha 2"},
		{"a bad confidence", open(lines("A", "x", 1)), Options{Confidence: -1}, -1, "confidence -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Inputs(c.inputs, c.options)
			require.Error(t, err)
			require.ErrorContains(t, err, c.want)
			if c.line >= 0 {
				requireInput(t, err, c.line, c.want)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	whole := baselineText(t, testBaseline())
	for _, c := range []struct {
		name, path string
		want       string
	}{
		{"missing", filepath.Join(t.TempDir(), "none"), "can't be opened"},
		{"a directory of no run", t.TempDir(), "isn't a run directory"},
		{"a baseline cut short", writeTemp(t, baseline.FileName, whole[:len(whole)/2]), "cut short"},
		{"an edited baseline", writeTemp(t, baseline.FileName, strings.Replace(whole, "6.1.0", "6.1.1", 1)),
			"edited by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.path)
			var input *results.InputError
			require.True(t, errors.As(err, &input), "%v", err)
			require.Contains(t, err.Error(), c.want)
			require.Equal(t, c.path, input.Path)
		})
	}
}

func TestComparisonJSON(t *testing.T) {
	got, err := Inputs(openAll(t, lines("A", "ns/op", 1, 2), lines("A", "ns/op", 3)), Options{})
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, got.WriteJSON(&text))
	var back Comparison
	require.NoError(t, json.Unmarshal(text.Bytes(), &back))
	require.Equal(t, *got, back, "including unbounded intervals")
}

func TestComparisonCSV(t *testing.T) {
	got, err := Inputs(openAll(t, "Unit retries/device assume=exact\n"+lines("A", "retries/device", 2),
		lines("A", "retries/device", 3)), Options{})
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, got.WriteCSV(&text))
	var kept []string // without geometric means, whose last digit depends on the processor
	for line := range strings.Lines(text.String()) {
		if !strings.Contains(line, ",geomean,") {
			kept = append(kept, line)
		}
	}
	require.Len(t, kept, 3)
	require.Equal(t, `config,unit,benchmark,input,n,center,low,high,interval,delta,p,change,warnings
,retries/device,A,old,1,2,2,2,0%,,,,
,retries/device,A,new,1,3,3,3,0%,+50.00%,0,worse,
`, strings.Join(kept, ""))
}

func TestComparisonMarkdown(t *testing.T) {
	got, err := Inputs(openAll(t, "pkg: a|b\nUnit retries/device assume=exact\n"+lines("A|`x`", "retries/device", 2),
		"pkg: a|b\n"+lines("A|`x`", "retries/device", 3)), Options{})
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, got.WriteMarkdown(&text))
	require.Equal(t, "### retries/device\n\n"+
		"- pkg: `a\\|b`\n\n"+
		"| retries/device |        old |        new |     vs base | test        |\n"+
		"|:---------------|-----------:|-----------:|------------:|:------------|\n"+
		"| A\\|\\`x\\`       | 2.000 ± 0% | 3.000 ± 0% | **+50.00%** | (n=1) worse |\n", text.String())
}

// TestComparisonMarkdownHoldsNoBenchmarks checks that benchstat finds no results in the Markdown of
// a comparison.
func TestComparisonMarkdownHoldsNoBenchmarks(t *testing.T) {
	comparison, err := Inputs(openAll(t, lines("A", "ns/op", 1), lines("A", "ns/op", 2)), Options{})
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, comparison.WriteMarkdown(&text))
	for line := range strings.SplitSeq(text.String(), "\n") {
		require.False(t, results.IsBenchmarkLine(line), "%q", line)
	}
}

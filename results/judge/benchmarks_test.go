package judge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
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

func benchFile(t *testing.T, text string) *results.BenchmarkFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bench.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := baseline.ReadBenchmarkFile(path)
	require.NoError(t, err)
	return f
}

func TestCompareBenchmarks(t *testing.T) {
	base := benchText("A", 2, map[string]string{"X/size=1": "100 ns/op 64 B/op 90 allocs/op 5 probes/op"})
	for name, c := range map[string]struct {
		now      string
		portable bool
		want     results.Verdict
		rows     map[string]results.Verdict
	}{
		"the same": {base, true, results.Pass,
			map[string]results.Verdict{"allocs/op": results.Pass, "ns/op": ""}},
		"an allocation in 90 more": {strings.ReplaceAll(base, "90 allocs", "91 allocs"), true, results.Regressed,
			map[string]results.Verdict{"allocs/op": results.Regressed}},
		"an allocation less":               {strings.ReplaceAll(base, "90 allocs", "89 allocs"), true, results.Improved, nil},
		"an allocation more in one of six": {strings.Replace(base, "90 allocs", "91 allocs", 1), true, results.Pass, nil},
		"twice the bytes":                  {strings.ReplaceAll(base, "64 B", "128 B"), true, results.Regressed, nil},
		"another machine": {strings.ReplaceAll(benchText("B", 8,
			map[string]string{"X/size=1": "1 ns/op 64 B/op 90 allocs/op 5 probes/op"}), "x", "x"), true, results.Pass,
			map[string]results.Verdict{"ns/op": ""}},
		"gone": {benchText("A", 2, map[string]string{"Y": "100 ns/op 0 B/op 0 allocs/op"}), true,
			results.Regressed, map[string]results.Verdict{"allocs/op": results.Regressed}},
		"slower, and not portable only": {strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), false, results.Regressed,
			map[string]results.Verdict{"ns/op": results.Regressed, "probes/op": ""}},
		"slower, and portable only": {strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), true, results.Pass, nil},
		"slower elsewhere": {strings.ReplaceAll(strings.ReplaceAll(base, "100 ns/op", "200 ns/op"), "cpu: A",
			"cpu: B"), false, results.Pass, map[string]results.Verdict{"ns/op": ""}},
	} {
		got := judge.CompareBenchmarks(benchFile(t, base), benchFile(t, c.now), nil, c.portable)
		require.Equal(t, c.want, got.Judgement.Verdict, "%s: %s", name, report.Sentence(got.Judgement))
		for unit, want := range c.rows {
			found := false
			for _, r := range got.Judgement.Rows {
				if r.Unit.Name == unit && r.Op == "X/size=1" {
					require.Equal(t, want, r.Verdict, "%s %s: %s", name, unit, report.Note(r))
					found = true
				}
			}
			require.True(t, found, "%s %s", name, unit)
		}
	}
	kept := judge.CompareBenchmarks(benchFile(t, base),
		benchFile(t, benchText("A", 2, map[string]string{"Y": "1 ns/op"})),
		func(s results.BenchmarkSample) bool { return s.Name == "Y" }, true)
	require.Empty(t, kept.Judgement.Compared, "no sample of the base was kept, so nothing is judged")
	require.Equal(t, results.Inconclusive, kept.Judgement.Verdict, "and that is no pass")
}

// TestCompareBenchmarks_ownMetrics checks that metrics that benchmarks report themselves are judged
// by the direction that a Unit line or fleetmark.yaml gives. Without one, a change is inconclusive,
// and the note says how to declare the metric.
func TestCompareBenchmarks_ownMetrics(t *testing.T) {
	page := benchText("A", 2, map[string]string{"X": "100 ns/op 64 B/op 90 allocs/op 100 probes/op"})
	now := func(value string) string { return strings.ReplaceAll(page, "100 probes", value+" probes") }
	scattered := func(of string, values ...int) string {
		for _, v := range values {
			of = strings.Replace(of, "100 probes", fmt.Sprintf("%d  probes", v), 1)
		}
		return of
	}
	higher, lower := map[string]int{"probes/op": +1}, map[string]int{"probes/op": -1}
	for name, c := range map[string]struct {
		base, now string
		better    map[string]int
		want      results.Verdict
		note      string
	}{
		"unchanged": {page, page, nil, results.Pass, "it didn't change"},
		"within 5%": {page, now("104"), nil, results.Pass, ""},
		"changed": {page, now("120"), nil, results.Inconclusive,
			`have the benchmarks print a line such as "Unit probes/op better=lower" (in TestMain, say), or declare it under units in fleetmark.yaml`},
		"changed elsewhere": {page, strings.ReplaceAll(now("120"), "cpu: A", "cpu: B"), nil, results.Inconclusive,
			"declare it under units in fleetmark.yaml"},
		"declared in the file":    {page, now("120"), lower, results.Regressed, ""},
		"declared the other way":  {page, now("120"), higher, results.Improved, ""},
		"by the page's line":      {"Unit probes/op better=higher\n" + page, now("80"), nil, results.Regressed, ""},
		"a line against the file": {page, "Unit probes/op better=lower\n" + now("80"), higher, results.Improved, ""},
		"a line that says nothing": {page, "Unit probes/op better=up\n" + now("80"), nil, results.Inconclusive,
			"declare it"},
		"gone": {page, strings.ReplaceAll(page, " 100 probes/op", ""), nil, results.Regressed,
			"missing now"},
		"scattered, and declared": {scattered(page, 50, 70, 90, 110, 130, 150),
			scattered(page, 51, 71, 91, 111, 131, 151), lower, results.Inconclusive,
			"only less than 10.0%, twice the tolerance, is a pass"},
		"scattered, and no direction": {scattered(page, 50, 70, 90, 110, 130, 150),
			scattered(page, 51, 71, 91, 111, 131, 151), nil, results.Inconclusive, "nothing says which way is better"},
		"little scattered": {scattered(page, 98, 99, 100, 101, 102, 100), scattered(page, 99, 98, 100, 102, 101, 100),
			lower, results.Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := benchFile(t, c.base)
			base.Declare(c.better)
			judgement := judge.CompareBenchmarks(base, benchFile(t, c.now), nil, true).Judgement
			require.Equal(t, c.want, judgement.Verdict, report.Sentence(judgement))
			for _, r := range judgement.Rows {
				if r.Unit.Name == "probes/op" {
					require.Equal(t, c.want, r.Verdict)
					require.Contains(t, report.Note(r), c.note)
				}
			}
		})
	}

	// A metric whose name says that it is a time isn't portable, as ns/op isn't.
	timed := strings.ReplaceAll(page, "probes/op", "p99-ns/op-of-mine")
	j := judge.CompareBenchmarks(benchFile(t, timed), benchFile(t, strings.ReplaceAll(timed, "100 p99", "900 p99")), nil,
		true).Judgement
	require.Equal(t, results.Pass, j.Verdict, report.Sentence(j))
	require.Contains(t, report.Sentence(j), "2 metrics not judged")
}

// TestCompareBenchmarks_failures checks that the comparison is inconclusive if go test failed on
// either side, or if a metric without a direction changed.
func TestCompareBenchmarks_failures(t *testing.T) {
	text := func(probes string, more string) string {
		lines := "goos: linux\ngoarch: amd64\ncpu: A\npkg: p\n" + more
		for i := range 6 {
			lines += fmt.Sprintf("BenchmarkX-2 100 %d ns/op %s probes/op\n", 1000+i, probes)
		}
		return lines
	}
	for name, row := range map[string]struct {
		old, now string
		want     results.Verdict
		reason   string
	}{
		"the same": {text("3", ""), text("3", ""), results.Pass, ""},
		"now failed": {text("3", ""), text("3", "") + "--- FAIL: BenchmarkY\n", results.Inconclusive,
			"go test failed there: \"--- FAIL: BenchmarkY\""},
		"the base failed": {text("3", "") + "panic: x\n", text("3", ""), results.Inconclusive, "go test failed there"},
		"no direction": {text("3", ""), text("4", ""), results.Inconclusive,
			`have the benchmarks print a line such as "Unit probes/op better=lower"`},
		"worse by its line": {text("3", ""), text("4", "Unit probes/op better=lower\n"), results.Regressed,
			"probes/op went from 3"},
		"better by its line":   {text("3", "Unit probes/op better=higher\n"), text("4", ""), results.Improved, "probes/op"},
		"within the tolerance": {text("100", "Unit probes/op better=lower\n"), text("104", ""), results.Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := judge.CompareBenchmarks(benchFile(t, row.old), benchFile(t, row.now), nil, false)
			require.Equal(t, row.want, c.Judgement.Verdict, report.Sentence(c.Judgement))
			require.Contains(t, report.Sentence(c.Judgement), row.reason)
		})
	}
}

package compare

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// events returns outputs, each given as package, test and output, as `go test -json` prints them.
func events(t *testing.T, outputs ...[3]string) string {
	t.Helper()
	var b strings.Builder
	for _, o := range outputs {
		line, err := json.Marshal(map[string]string{"Time": "2026-01-02T03:04:05Z", "Action": "output", "Package": o[0],
			"Test": o[1], "Output": o[2]})
		require.NoError(t, err)
		b.WriteString(string(line) + "\n")
	}
	return b.String()
}

// compared compares texts as the inputs old, new and so on.
func compared(t *testing.T, texts ...string) *Comparison {
	t.Helper()
	c, err := Inputs(openAll(t, texts...), Options{})
	require.NoError(t, err)
	return c
}

// cells returns the medians of a comparison's first input by package, unit and benchmark.
func cells(c *Comparison) map[string]string {
	found := map[string]string{}
	for _, table := range c.Tables {
		for _, r := range table.Rows {
			if r.Cells[0] != nil {
				found[r.Name+configText(table.Config)+" "+table.Unit] = fmt.Sprintf("%v n=%d", r.Cells[0].Center, r.Cells[0].N)
			}
		}
	}
	return found
}

// TestTestEvents checks that the output of go test -json is read like that of go test, even if two
// packages run at the same time and lines are split.
func TestTestEvents(t *testing.T) {
	text := "go: downloading example.com/x v1.0.0\n" + events(t,
		[3]string{"a", "", "goos: linux\n"}, [3]string{"b", "", "goos: linux\npkg: b\n"}, [3]string{"a", "", "pkg: a\n"},
		[3]string{"a", "BenchmarkX", "=== RUN   BenchmarkX\n"}, [3]string{"a", "BenchmarkX", "BenchmarkX\n"},
		[3]string{"a", "BenchmarkX", "BenchmarkX-2 \t"}, [3]string{"b", "BenchmarkX", "BenchmarkX-2 \t     100\t"},
		[3]string{"a", "BenchmarkX", "  200\t  5 B/op\n"}, [3]string{"b", "BenchmarkX", "  7 B/op\n"},
		[3]string{"a", "", "PASS\n"}, [3]string{"b", "", "ok  \tb\t1.0s\n"},
	) + `{"Action":"pass","Package":"a","Elapsed":1}` + "\n"
	want := map[string]string{"X-2 (pkg a) B/op": "5 n=1", "X-2 (pkg b) B/op": "7 n=1"}
	c := compared(t, text)
	require.Equal(t, want, cells(c))
	require.Empty(t, c.Warnings)
	require.Equal(t, want, cells(compared(t, "\ufeff"+strings.ReplaceAll(text, "\n", "\r\n"))))

	// The stream ends in the middle of an event, and the output in the middle of a line.
	whole := strings.TrimSuffix(text, `{"Action":"pass","Package":"a","Elapsed":1}`+"\n")
	cut := whole[:strings.Index(whole, `  7 B/op`)]
	c = compared(t, cut)
	require.Equal(t, map[string]string{"X-2 (pkg a) B/op": "5 n=1"}, cells(c))
	said := strings.Join(c.Warnings, "\n")
	require.Contains(t, said, `old:10: damaged line (no event of go test -json: unexpected end of JSON input) is left out`)
	require.Contains(t, said, `damaged line of X-2 (its end is missing) is left out: "BenchmarkX-2 \t     100\t"`)
	require.Contains(t, said, "old: X-2 has 1 of 2 samples")
}

// TestDamagedLines checks that damaged lines are quoted with their line number, and counted.
func TestDamagedLines(t *testing.T) {
	good := strings.Repeat("BenchmarkB-8 100 5 ns/op 3 B/op\n", 5)
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"no count": {"goos: linux\nBenchmarkB-8 x 5 ns/op\n" + good,
			[]string{`old:2: damaged line of B-8 (parsing iteration count: invalid syntax) is left out: "BenchmarkB-8 x 5 ns/op"`, "old: B-8 has 5 of 6 samples"}},
		"cut in the last unit": {good + "BenchmarkB-8 100 5 n",
			[]string{`old:6: damaged line of B-8 (the file ends in it) is left out: "BenchmarkB-8 100 5 n"`,
				"old: B-8 has 5 of 6 samples"}},
		"cut before a value": {good + "BenchmarkB-8 100 5 ns/op",
			[]string{`old:6: damaged line of B-8 (the file ends in it)`, "old: B-8 has 5 of 6 samples"}},
		"cut after a value": {good + "BenchmarkB-8 100 5",
			[]string{`old:6: damaged line of B-8`, "old: B-8 has 5 of 6 samples"}},
		"no end, but whole": {good + "BenchmarkB-8 100 5 ns/op 3 B/op", nil},
		"a failure":         {good + "--- FAIL: BenchmarkC\n    c_test.go:5: no\nFAIL\nexit status 1\nFAIL\texample.com/x\t1s\n", []string{`old:6: go test failed there: "--- FAIL: BenchmarkC"`, `old:8: go test failed there: "FAIL"`, `old:10: go test failed there: "FAIL\texample.com/x\t1s"`}},
		"a panic": {good + "panic: not today\n\ngoroutine 1 [running]:\n",
			[]string{`old:6: go test failed there: "panic: not today"`}},
		"an unknown direction": {"Unit B/op better=sideways\n" + good,
			[]string{"old:1: Unit B/op better=sideways: want better=higher or better=lower, so nothing says which way is better"}},
		"a direction":           {"Unit B/op better=lower\n" + good, nil},
		"another unit's prefix": {good + "BenchmarkOther-8 100 5 n\n", nil},
		"a unit of its own, cut": {strings.ReplaceAll(good, "B/op", "probes/op") + "BenchmarkC-8 100 5 ns/op 3 prob",
			[]string{"old:6: damaged line of C-8", "old: C-8 has 0 of 1 sample"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := compared(t, row.text)
			if row.want == nil {
				require.Empty(t, c.Warnings)
			}
			for _, want := range row.want {
				require.Contains(t, strings.Join(c.Warnings, "\n"), want)
			}
			require.Equal(t, fmt.Sprintf("5e-09 n=%d", map[bool]int{true: 6, false: 5}[name == "no end, but whole"]),
				cells(c)["B-8 sec/op"])
		})
	}
	_, err := Inputs(openAll(t, "BenchmarkA-2 x 5 ns/op\nBenchmarkB-2 10 y ns/op\n"), Options{})
	require.ErrorContains(t, err, `old: holds no benchmark results that can be read: old:1: damaged line of A-2 (parsing iteration count: invalid syntax) is left out: "BenchmarkA-2 x 5 ns/op"; old:2: damaged line of B-2`)
}

// TestCompareNamesMissingBenchmarks checks that warnings name benchmarks that are missing or new,
// and say why nothing was compared.
func TestCompareNamesMissingBenchmarks(t *testing.T) {
	pkg := func(name string, lines ...string) string {
		return "pkg: " + name + "\n" + strings.Join(lines, "\n") + "\n"
	}
	a, b := "BenchmarkA-8 1 5 ns/op 3 B/op", "BenchmarkB-8 1 5 ns/op 3 B/op"
	said := func(old, now string) string { return strings.Join(compared(t, old, now).Warnings, "\n") }
	require.Equal(t, "B-8 (pkg a) is missing in new\n"+
		"the geomeans of sec/op (pkg a) are over different benchmarks (2 in old, 1 in new): only their ratio is over those that both have\n"+
		"the geomeans of B/op (pkg a) are over different benchmarks (2 in old, 1 in new): only their ratio is over those that both have", said(pkg("a", a, b), pkg("a", a)))
	require.Contains(t, said(pkg("a", a), pkg("a", a, b)), "B-8 (pkg a) is new in new")
	require.Contains(t, said(pkg("a", a), pkg("a", a, b)), "(1 in old, 2 in new)")
	require.Equal(t, "A-8 (pkg a): B/op is missing in new", said(pkg("a", a), pkg("a", "BenchmarkA-8 1 5 ns/op")))
	require.Empty(t, said(pkg("a", a, b), pkg("a", b, a)))

	const nothing = "nothing was compared: "
	require.Contains(t, said("cpu: one\n"+a, "cpu: two\n"+a),
		nothing+`cpu is "one" in old and "two" in new; --ignore cpu lets them meet`)
	require.Contains(t, said("goos: linux\n"+a, a),
		nothing+`goos is "linux" in old and absent in new; --ignore goos lets them meet`)
	require.Contains(t, said(a, strings.ReplaceAll(a, "-8", "-16")),
		nothing+`/gomaxprocs is "8" in old and "16" in new; --ignore /gomaxprocs lets them meet`)
	require.Contains(t, said(pkg("one", a), pkg("two", a)),
		nothing+`pkg is "one" in old and "two" in new; --ignore pkg lets them meet`)
	require.Contains(t, said(pkg("one", a), a),
		nothing+`pkg is "one" in old and absent in new; --ignore pkg lets them meet`)
	require.Contains(t, said(a, b), nothing+`old has "A", and new "B"`)
	// With the advised flag, the inputs are compared.
	for _, row := range []struct{ old, now, ignore string }{
		{"cpu: one\n" + a, "cpu: two\n" + a, "cpu"}, {"goos: linux\n" + a, a, "goos"},
		{a, strings.ReplaceAll(a, "-8", "-16"), "/gomaxprocs"},
		{pkg("one", a), pkg("two", a), "pkg"}, {pkg("one", a), a, "pkg"},
		{"goos: linux\ncpu: one\n" + a, "cpu: two\n" + strings.ReplaceAll(a, "-8", "-16"), "/gomaxprocs,cpu,goos"},
	} {
		c, err := Inputs(openAll(t, row.old, row.now), Options{Ignore: row.ignore})
		require.NoError(t, err)
		require.Equal(t, 2, c.Compared(), row.ignore)
	}
}

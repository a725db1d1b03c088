package gobench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

const allocating = `package m

var sink *[2]int

// Work allocates n objects.
func Work(n int) {
	for range n {
		sink = new([2]int)
	}
}
`

const benchWork = `import "testing"

func BenchmarkWork(b *testing.B) {
	for b.Loop() {
		Work(COUNT)
	}
}
`

func workOf(n string) string { return test(strings.ReplaceAll(benchWork, "COUNT", n)) }

// TestCompare_oneMoreAllocation checks that it is found in a single round, and that the function
// that allocates is named.
func TestCompare_oneMoreAllocation(t *testing.T) {
	r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": workOf("2")})
	r.write(map[string]string{"m.go": strings.ReplaceAll(allocating, "range n ", "range n + 1 ")})
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	row := find(t, out, "Work-2", "allocs/op")
	require.Equal(t, results.Regressed, row.Verdict)
	require.Equal(t, 2.0, row.Base.Median)
	require.Equal(t, 3.0, row.Now.Median)
	require.Equal(t, results.Regressed, out.Judgement.Verdict)
	require.Equal(t, []string{"m.go"}, out.NowTree.Changed)

	found, err := out.Explain(t.Context(), filepath.Join(t.TempDir(), "why"), nil)
	require.NoError(t, err)
	at := -1
	for i, e := range found {
		if e.Kind == profiles.Allocs {
			at = i
		}
	}
	require.GreaterOrEqual(t, at, 0, "no profile of allocations was explained")
	require.NotEmpty(t, found[at].Causes)
	require.Equal(t, "example.com/m.Work", found[at].Causes[0].Function)
	require.InDelta(t, 1, found[at].Causes[0].Delta, 0.05)
}

// TestCompare_samples checks that benchstat can read the samples, also after an interruption.
func TestCompare_samples(t *testing.T) {
	r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": workOf("1")})
	r.write(map[string]string{"m_test.go": workOf("2")})
	o := r.options()
	o.Budget = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Rounds == 2 {
			cancel()
		}
	}
	_, err := Compare(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	for side, allocs := range map[string]float64{"base": 1, "now": 2} {
		f, err := os.Open(filepath.Join(o.Out, side+".txt"))
		require.NoError(t, err)
		defer f.Close()
		n := 0
		for reader := benchfmt.NewReader(f, side); reader.Scan(); n++ {
			result, ok := reader.Result().(*benchfmt.Result)
			require.True(t, ok, "%v", reader.Result())
			require.Equal(t, "Work-2", result.Name.String())
			require.Equal(t, "example.com/m", result.GetConfig("pkg"))
			require.NotEmpty(t, result.GetConfig("goos"))
			v, ok := result.Value("allocs/op")
			require.True(t, ok)
			require.Equal(t, allocs, v)
		}
		require.Equal(t, 4, n, "two rounds of two blocks")
	}
}

// TestCompare_modulesOfEachSide checks that the base is built with the go.mod of its time, and that
// the difference is named.
func TestCompare_modulesOfEachSide(t *testing.T) {
	mod := "module example.com/m\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./"
	files := map[string]string{
		"go.mod": mod + "one\n",
		"m_test.go": test(`import ("testing"; "example.com/dep")

func BenchmarkDep(b *testing.B) {
	for b.Loop() { dep.Work() }
}
`)}
	for dir, n := range map[string]string{"one": "1", "two": "2"} {
		files[dir+"/go.mod"] = "module example.com/dep\n\ngo 1.24\n"
		files[dir+"/dep.go"] = "package dep\n\nvar sink *[2]int\n\nfunc Work() {\n\tfor range " + n +
			" {\n\t\tsink = new([2]int)\n\t}\n}\n"
	}
	r := newRepository(t, files)
	r.write(map[string]string{"go.mod": mod + "two\n"})
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	require.Equal(t, results.Regressed, find(t, out, "Dep-2", "allocs/op").Verdict)
	require.Equal(t, []string{"module: example.com/dep v1.0.0 => ./one, now example.com/dep v1.0.0 => ./two"},
		out.Differences)
}

// TestCompare_filesRead checks that each side reads its own files, embedded or beside its source,
// also those that git archive would leave out.
func TestCompare_filesRead(t *testing.T) {
	reads := test(`import (
	_ "embed"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

//go:embed embedded.txt
var embedded string

func number(b *testing.B, text string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func BenchmarkRead(b *testing.B) {
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile("testdata/relative.txt")
	if err != nil {
		b.Fatal(err)
	}
	beside, err := os.ReadFile(filepath.Join(filepath.Dir(file), "testdata", "beside.txt"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
	}
	b.ReportMetric(number(b, embedded), "embedded")
	b.ReportMetric(number(b, string(text)), "relative")
	b.ReportMetric(number(b, string(beside)), "beside")
}
`)
	r := newRepository(t, map[string]string{
		"m.go": "package m\n", "m_test.go": reads, ".gitattributes": "* export-ignore\n",
		"embedded.txt": "1", "testdata/relative.txt": "2", "testdata/beside.txt": "3",
	})
	r.write(map[string]string{"embedded.txt": "10", "testdata/relative.txt": "20", "testdata/beside.txt": "30"})
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	for unit, want := range map[string]float64{"embedded": 1, "relative": 2, "beside": 3} {
		row := find(t, out, "Read-2", unit)
		require.Equal(t, want, row.Base.Median, unit)
		require.Equal(t, 10*want, row.Now.Median, unit)
	}
}

// TestCompare_workspace checks that the base is built with the go.work of its time, or without one.
func TestCompare_workspace(t *testing.T) {
	r := newRepository(t, map[string]string{
		"go.mod":     "module example.com/m\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n",
		"dep/go.mod": "module example.com/dep\n\ngo 1.24\n", "dep/dep.go": "package dep\n\nconst N = 1\n",
		"go.work": "go 1.24\n\nuse (\n\t.\n\t./dep\n)\n",
		"m_test.go": test(`import ("testing"; "example.com/dep")

func BenchmarkN(b *testing.B) {
	for b.Loop() {
	}
	b.ReportMetric(dep.N, "n")
}
`)})
	r.write(map[string]string{"dep/dep.go": "package dep\n\nconst N = 2\n"})
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	row := find(t, out, "N-2", "n")
	require.Equal(t, 1.0, row.Base.Median)
	require.Equal(t, 2.0, row.Now.Median)

	outside := filepath.Join(t.TempDir(), "go.work")
	require.NoError(t, os.WriteFile(outside, []byte("go 1.24\n\nuse "+r.dir+"\n"), 0o644))
	t.Setenv("GOWORK", outside)
	_, err = Compare(t.Context(), r.options())
	var e *checkout.Error
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "lies outside the repository")
	require.ErrorContains(t, err, "GOWORK=off")
}

// TestCompare_identicalBinaries checks that identical binaries pass without a measurement, unless a
// file beside their source differs.
func TestCompare_identicalBinaries(t *testing.T) {
	r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": workOf("1"), "testdata/x": "1"})
	r.write(map[string]string{"README": "not in the package's directory\n"})
	require.NoError(t, os.Remove(filepath.Join(r.dir, "README")))
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	require.Equal(t, results.Pass, out.Judgement.Verdict)
	require.Zero(t, out.Rounds)
	require.Contains(t, report.Note(find(t, out, "Work-2", "ns/op")), "byte for byte")

	r.write(map[string]string{"testdata/x": "2"})
	out, err = Compare(t.Context(), r.options())
	require.NoError(t, err)
	require.Equal(t, 1, out.Rounds, "the benchmarks may read the file")
}

func TestCompare_subBenchmarks(t *testing.T) {
	skipIfRaced(t)
	bench := test(`import "testing"

func BenchmarkSub(b *testing.B) {
	for _, name := range []string{"size=1", "size=1", "a b/c", "[x|y]"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
			}
			b.ReportMetric(N, "n")
		})
	}
}
`)
	r := newRepository(t, map[string]string{"m.go": "package m\n\nconst N = 1\n", "m_test.go": bench})
	r.write(map[string]string{"m.go": "package m\n\nconst N = 2\n"})
	o := r.options()
	o.Procs = []int{1, 2}
	out, err := Compare(t.Context(), o)
	require.NoError(t, err)
	for _, op := range []string{"Sub/size=1", "Sub/size=1#01", "Sub/a_b/c", "Sub/[x|y]"} {
		for _, procs := range []string{"", "-2"} {
			require.Equal(t, 2.0, find(t, out, op+procs, "n").Now.Median)
		}
	}
	require.Equal(t, 8, out.Benchmarks)

	o = r.options()
	o.Bench = "Sub/a.b"
	out, err = Compare(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, 1, out.Benchmarks)
}

// TestCompare_ownMetrics takes the direction of metrics from the benchmark's output or the options.
func TestCompare_ownMetrics(t *testing.T) {
	skipIfRaced(t)
	bench := func(v string) string {
		return test(`import ("fmt"; "testing")

func BenchmarkOwn(b *testing.B) {
	fmt.Println("Unit declared/op better=higher")
	fmt.Println("Unit exact/op better=lower assume=exact")
	fmt.Println("Unit sideways/op better=sideways")
	fmt.Println("Unit steady/op better=up")
	for b.Loop() {
	}
	for _, unit := range []string{"declared/op", "exact/op", "configured/op", "unknown/op", "sideways/op", "steady/op"} {
		v := ` + v + `
		if unit == "steady/op" {
			v = 7
		}
		b.ReportMetric(v, unit)
	}
	b.ReportMetric(0, "zero/op")
	b.ReportMetric(0, "ns/op") // 0 means that the time isn't a result
}
`)
	}
	r := newRepository(t, map[string]string{"m_test.go": bench("100.0")})
	r.write(map[string]string{"m_test.go": bench("80.0")})
	o := r.options()
	o.Better = map[string]int{"configured/op": -1}
	o.Budget = time.Hour // so that everything is decided
	out, err := Compare(t.Context(), o)
	require.NoError(t, err)
	for unit, want := range map[string]results.Verdict{
		"declared/op": results.Regressed, "exact/op": results.Improved, "configured/op": results.Improved,
		"unknown/op": results.Inconclusive, "sideways/op": results.Inconclusive, "steady/op": results.Pass,
		"zero/op": results.Pass,
	} {
		require.Equal(t, want, find(t, out, "Own-2", unit).Verdict, unit)
	}
	require.Contains(t, report.Note(find(t, out, "Own-2", "unknown/op")), `"Unit unknown/op better=lower"`)
	require.Contains(t, report.Note(find(t, out, "Own-2", "sideways/op")),
		`Unit sideways/op better=sideways: want better=higher or better=lower`)
	require.Equal(t, []string{
		"a benchmark printed Unit sideways/op better=sideways: want better=higher or better=lower",
		"a benchmark printed Unit steady/op better=up: want better=higher or better=lower",
	}, out.Warnings, "also if the metric didn't move")
}

func TestCompare_refuses(t *testing.T) {
	skipIfRaced(t)
	const broken = "package m\n\nfunc Work() { undefined() }\n"
	r := newRepository(t, map[string]string{"m.go": "package m\n\nfunc Work(int) {}\n", "m_test.go": workOf("1"),
		"empty/e.go": "package e\n", "sub/m.go": broken, "sub/m_test.go": "package m\n"})
	for _, c := range []struct {
		name  string
		with  func(*Options)
		files map[string]string
		want  []string
	}{
		{"nothing matches", func(o *Options) { o.Bench = "Nonesuch" }, nil,
			[]string{`Bench "Nonesuch" matches no benchmark of .`}},
		{"bad expression", func(o *Options) { o.Bench = "((" }, nil,
			[]string{"the tests of example.com/m end before any benchmark begins", "invalid regexp"}},
		{"no such revision", func(o *Options) { o.Base = "nonesuch" }, nil, []string{`no such revision here: "nonesuch"`}},
		{"no such package", func(o *Options) { o.Packages = []string{"./nonesuch"} }, nil,
			[]string{"package ./nonesuch can't be found"}},
		{"no tests", func(o *Options) { o.Packages = []string{"./empty"} }, nil,
			[]string{"no package with tests in ./empty"}},
		{"a flag", func(o *Options) { o.Packages = []string{"-x"} }, nil, []string{"-x"}},
		{"now does not compile", func(*Options) {}, map[string]string{"m.go": broken},
			[]string{"now (", "1 changed file", "the tests of example.com/m don't compile", "m.go:3:15: undefined: undefined"}},
		{"base does not compile", func(o *Options) { o.Packages = []string{"./sub"} },
			map[string]string{"sub/m.go": "package m\n"},
			[]string{"base (", "the tests of example.com/m/sub don't compile", "sub/m.go:3:15: undefined: undefined"}},
		{"init panics", func(*Options) {}, map[string]string{"m.go": "package m\n\nfunc init() { panic(\"early\") }\nfunc Work(int) {}\n"}, []string{"end before any benchmark begins", "panic: early"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.write(map[string]string{"m.go": "package m\n\nfunc Work(int) {}\n", "sub/m.go": broken})
			r.write(c.files)
			o := r.options()
			o.Scratch = t.TempDir()
			c.with(&o)
			_, err := Compare(t.Context(), o)
			var e *checkout.Error
			require.ErrorAs(t, err, &e)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NoDirExists(t, o.Out)
		})
	}
	o := r.options()
	o.Dir = t.TempDir()
	_, err := Compare(t.Context(), o)
	require.ErrorContains(t, err, "no git repository here")

	gone, cancel := context.WithCancel(t.Context())
	o = r.options()
	o.Log = func(string) { cancel() } // while Compare builds
	_, err = Compare(gone, o)
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}

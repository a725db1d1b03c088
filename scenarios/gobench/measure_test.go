package gobench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// benchModule writes a module whose package p has a file of benchmarks with this body, and returns
// its directory.
func benchModule(t *testing.T, body string, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":      "module example.com/m\n\ngo 1.24\n",
		"p/p_test.go": "package p\n\nimport (\n\t\"fmt\"\n\t\"math\"\n\t\"os\"\n\t\"sync\"\n\t\"testing\"\n\t\"time\"\n)\n\nvar _ = []any{fmt.Sprint, math.NaN, os.Getenv, time.Sleep, sync.OnceFunc}\n\nvar sink int\n\n" + body,
	}
	for name, text := range more {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// goEnvironment makes sure that a test's module doesn't see this repository's settings of the go
// command.
func goEnvironment(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=mod -trimpath") // with -trimpath, the standard library is compiled once for all modules
	t.Setenv("GOWORK", "off")
	t.Setenv("GOMAXPROCS", "2") // names of benchmarks end in it
}

const twoBenchmarks = `
func TestPush(t *testing.T) { t.Fatal("no test is run") }

func BenchmarkPush(b *testing.B) {
	for b.Loop() {
		sink++
	}
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []string{"size=1", "size-8"} {
		b.Run(size, func(b *testing.B) {
			b.SetBytes(1000)
			for b.Loop() {
				sink++
			}
			b.ReportMetric(7, "tokens/op")
		})
	}
}

func BenchmarkOwn(b *testing.B) {
	for b.Loop() {
		sink++
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(3, "ms-to-cancel")
}
`

func measureAll(ctx context.Context, c TestCommand) (*results.GoBenchmarks, error) {
	trial, err := c.Try(ctx)
	if err != nil {
		return nil, err
	}
	return trial.Measure(ctx)
}

func TestMeasure(t *testing.T) {
	goEnvironment(t)
	dir := benchModule(t, twoBenchmarks, map[string]string{
		"q/q_test.go": "package q\n\nimport \"testing\"\n\nvar sink []byte\n\nfunc BenchmarkPush(b *testing.B) {\n\tb.Log(\"in vain\")\n\tfor b.Loop() {\n\t\tsink = make([]byte, 100)\n\t}\n}\n",
		"r/r.go":      "package r\n",
	})
	var seen []SampleProgress
	c := TestCommand{
		Dir: dir, Packages: []string{"./..."}, Run: "Push|Parse|Own", Count: 3, BenchTime: "100x",
		Progress: func(p SampleProgress) { seen = append(seen, p) },
	}
	trial, err := c.Try(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5*3, trial.Samples())
	for name, want := range map[string]bool{"Push": true, "Parse/size-8": true, "Parse/size=1": true, "Parse": false,
		"Pus": false} {
		require.Equal(t, want, trial.Has(name), name)
	}
	got, err := trial.Measure(t.Context())
	require.NoError(t, err)
	require.Equal(t, "go test -run '^$' -bench 'Push|Parse|Own' -benchmem -count 3 -benchtime 100x ./...", got.Command)

	require.Len(t, got.Samples, 15)
	count := map[string]int{}
	for _, s := range got.Samples {
		count[s.Package+" "+s.Name]++
		require.Equal(t, 100, s.Iterations)
		allocs, ok := s.Value("allocs/op")
		require.True(t, ok)
		require.Equal(t, s.Package == "example.com/m/q", allocs == 1, "q allocates once, p nothing")
	}
	require.Equal(t, map[string]int{
		"example.com/m/p Push": 3, "example.com/m/p Parse/size=1": 3, "example.com/m/p Parse/size-8": 3,
		"example.com/m/p Own": 3, "example.com/m/q Push": 3,
	}, count)
	require.True(t, strings.HasPrefix(got.Lines[0], "goos: "), "go test's own lines, configuration first: %q",
		got.Lines[0])
	require.Contains(t, got.Lines, "pkg: example.com/m/q")
	for _, line := range got.Lines {
		require.True(t, results.IsBenchmarkLine(line), "%q", line)
	}
	again, err := results.ParseGoBenchmarks(got.Lines)
	require.NoError(t, err)
	require.Equal(t, got.Samples, again)

	last := seen[len(seen)-1]
	require.Equal(t, 15, last.Done)
	require.Equal(t, 15, last.Of)
	require.Equal(t, "example.com/m/q", last.Package)
	require.Len(t, seen, 16, "one call before each sample, and one at the end")
	require.Equal(t, SampleProgress{Package: "example.com/m/p", Benchmark: "BenchmarkPush-2", Done: 0, Of: 15}, seen[0])
}

func TestTestCommand_String(t *testing.T) {
	require.Equal(t, "go test -run '^$' -bench Push -benchmem -count 10 ./delivery",
		TestCommand{Packages: []string{"./delivery"}, Run: "Push"}.String())
	require.Equal(t, "go test -run '^$' -bench . -skip 'Own$' -benchmem -count 2 ./a ./b",
		TestCommand{Packages: []string{"./a", "./b"}, Run: ".", Skip: "Own$", Count: 2}.String())
}

// TestTry_unmeasurable checks that each error is a line that names the package and the benchmark.
func TestTry_unmeasurable(t *testing.T) {
	goEnvironment(t)
	loop := "\tfor b.Loop() {\n\t\tsink++\n\t}\n"
	bench := func(body string) string { return "func BenchmarkX(b *testing.B) {\n" + body + "\n}\n" }
	cases := map[string]struct {
		body     string
		packages []string // empty: ./p
		run      string   // empty: the benchmark X
		want     []string // parts of the message, which begins with the first
	}{
		"a regexp that matches nothing": {bench(loop), nil, "NoSuch",
			[]string{`./p: no benchmark matches "NoSuch": want a regular expression`}},
		"one of two packages": {bench(loop), []string{"./p", "./r"}, "",
			[]string{`./r: no benchmark matches ".": `, "leave the package out"}},
		"a package that isn't there": {bench(loop), []string{"./nosuch"}, "",
			[]string{"./nosuch: can't be loaded: ", "directory not found"}},
		"a package of another module": {bench(loop), []string{"example.com/other"}, "",
			[]string{"example.com/other: can't be loaded: "}},
		"a package that doesn't compile": {bench("\tundefined()"), nil, "", []string{
			"example.com/m/p: doesn't compile: make it build\n", "p_test.go:", ": undefined: undefined"}},
		"beside one that does": {bench("\tundefined()"), []string{"./r", "./p"}, "",
			[]string{"example.com/m/p: doesn't compile: "}},
		"a wrong regexp": {bench(loop), nil, "a(",
			[]string{"example.com/m/p: failed: see what it says\n", "invalid regexp"}},
		"one that fails": {bench("\tb.Fatal(\"no device\")"), nil, "",
			[]string{"example.com/m/p: BenchmarkX fails (p_test.go:", "no device): make it run"}},
		"a part that fails": {bench("\tb.Run(\"part\", func(b *testing.B) { b.Error(\"bad\") })"), nil, "",
			[]string{"example.com/m/p: BenchmarkX/part fails (", "bad): "}},
		"one that panics": {bench("\tpanic(\"boom\")"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " panics (boom): "}},
		"one that exits": {bench("\tos.Exit(0)"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " panics (unexpected call to os.Exit(0) during test): "}},
		"one that exits with a code": {bench("\tos.Exit(3)"), nil, "",
			[]string{"example.com/m/p: BenchmarkX ends the test binary"}},
		"one that skips itself": {bench("\tb.Skip(\"no network\")"), nil, "",
			[]string{"example.com/m/p: BenchmarkX skips itself (p_test.go:", "no network): "}},
		"a part that skips itself": {bench("\tb.Run(\"part\", func(b *testing.B) { b.SkipNow() })"), nil, "",
			[]string{"example.com/m/p: BenchmarkX/part skips itself: "}},
		"one that leaves its loop": {bench("\tfor b.Loop() {\n\t\treturn\n\t}"), nil, "",
			[]string{"example.com/m/p: BenchmarkX fails (", "without B.Loop() == false"}},
		"one that prints a line": {bench("\tfmt.Println(\"hello\")\n" + loop), nil, "",
			[]string{"example.com/m/p: BenchmarkX",
				" prints while it is measured, so that its result can't be read: have it print nothing"}},
		"one that prints numbers": {bench("\tfmt.Println(\"100 5 ns/op\")\n" + loop), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " prints while it is measured"}},
		"one that prints no line": {bench("\tfmt.Print(\"hello\")\n" + loop), nil, "",
			[]string{"example.com/m/p: ", " prints while it is measured"}},
		"one that prints an empty line": {bench("\tfmt.Println()\n" + loop), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " prints while it is measured"}},
		"one that prints once": {"var onceX sync.Once\n\n" +
			bench("\tonceX.Do(func() { fmt.Print(\"hello\") })\n"+loop), nil, "",
			[]string{"example.com/m/p: prints before its first benchmark, so that go test's line goos: can't be read"}},
		"one that prints an error": {bench("\tfmt.Fprintln(os.Stderr, \"hello\")\n" + loop), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " prints while it is measured"}},
		"no loop": {bench("\tsink++"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " reports ",
				"ns/op, which is no time that a loop could take: measure the work in a loop"}},
		"a time of zero": {bench(loop + "\tb.ReportMetric(0, \"ns/op\")"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " reports 0 ns/op: "}},
		"what is no number": {bench(loop + "\tb.ReportMetric(math.NaN(), \"x/op\")"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " reports what is no measurement (x/op is NaN: want a finite number): "}},
		"one that fails later": {bench("\tif b.N > 1 {\n\t\tb.Fatal(\"too many\")\n\t}"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " fails (p_test.go:", "too many): "}},
		"one that panics later": {bench("\tif b.N > 1 {\n\t\tpanic(\"too many\")\n\t}"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " panics (too many): "}},
		"one that exits later": {bench("\tif b.N > 1 {\n\t\tos.Exit(3)\n\t}"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " ends the test binary (exit status 3): "}},
		"a name that changes": {bench("\tb.Run(fmt.Sprint(time.Now().UnixNano()), func(b *testing.B) {\n" + loop + "\t})"),
			nil, "", []string{"example.com/m/p: BenchmarkX/", " wasn't there in the first run of the same command: "}},
		"an endless line": {bench("\tif b.N > 1 {\n\t\tfmt.Print(string(make([]byte, 100<<10)))\n\t}"), nil, "",
			[]string{"example.com/m/p: BenchmarkX", " prints a line of more than 60 KiB: "}},
	}
	// Cases that compile and only differ by the benchmark's name share a module, so that it is compiled once.
	names := map[string]string{}
	var bodies []string
	for name, c := range cases {
		if c.packages == nil && c.run == "" && !strings.Contains(c.body, "undefined") {
			names[name] = fmt.Sprintf("BenchmarkX%d", len(names))
			bodies = append(bodies, strings.ReplaceAll(c.body, "BenchmarkX", names[name]))
		}
	}
	shared := benchModule(t, strings.Join(bodies, "\n"), nil)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := TestCommand{Dir: shared, Packages: []string{"./p"}, Run: "^" + names[name] + "$", Count: 2,
				BenchTime: "10x"}
			if names[name] == "" {
				command.Dir, command.Run = benchModule(t, c.body, map[string]string{"r/r.go": "package r\n"}), cmp.Or(c.run, ".")
			}
			if c.packages != nil {
				command.Packages = c.packages
			}
			if name == "no loop" {
				command.BenchTime = "" // only go test's own search for b.N reaches so many iterations
			}
			got, err := measureAll(t.Context(), command)
			var told *TestError
			require.ErrorAs(t, err, &told)
			require.Nil(t, got)
			own := cmp.Or(names[name], "BenchmarkX")
			require.True(t, strings.HasPrefix(err.Error(), strings.ReplaceAll(c.want[0], "BenchmarkX", own)), "%v", err)
			for _, part := range c.want[1:] {
				require.Contains(t, err.Error(), part)
			}
			require.NotEmpty(t, told.Want)
			if told.Output == "" {
				require.NotContains(t, err.Error(), "\n")
			}
		})
	}
}

// TestMeasure_endless checks that the error about the time limit names the benchmark that was
// running. Try knows it from the event that began it, Measure from its function in the dump of
// goroutines.
func TestMeasure_endless(t *testing.T) {
	goEnvironment(t)
	dir := benchModule(t, `
func BenchmarkGood(b *testing.B) {
	for b.Loop() {
		sink++
	}
}

func BenchmarkEndless(b *testing.B) {
	if b.N > 1 || os.Getenv("ENDLESS_AT_ONCE") != "" {
		time.Sleep(time.Hour)
	}
}
`, nil)
	c := TestCommand{Dir: dir, Packages: []string{"./p"}, Run: ".", Count: 2, BenchTime: "10x"}
	trial, err := c.Try(t.Context()) // builds the package, so that the limit below is for the benchmarks alone
	require.NoError(t, err)
	trial.command.Limit = 3 * time.Second
	_, err = trial.Measure(t.Context())
	require.ErrorContains(t, err, "example.com/m/p: BenchmarkEndless")
	require.ErrorContains(t, err, " was still running after 3s, the time limit of the command: make it end, leave it out with -skip, or allow more time")

	t.Setenv("ENDLESS_AT_ONCE", "1")
	_, err = trial.command.Try(t.Context())
	require.ErrorContains(t, err, "example.com/m/p: BenchmarkEndless was still running after 3s")
}

// TestMeasure_interrupted checks that the end of the context ends the command and everything that
// it started.
func TestMeasure_interrupted(t *testing.T) {
	goEnvironment(t)
	dir := benchModule(t, "func BenchmarkLong(b *testing.B) {\n\tif b.N > 1 {\n\t\ttime.Sleep(time.Hour)\n\t}\n}\n", nil)
	ctx, cancel := context.WithCancel(t.Context())
	c := TestCommand{
		Dir: dir, Packages: []string{"./p"}, Run: ".", Count: 1, BenchTime: "10x",
		Progress: func(SampleProgress) { cancel() }, // when go test has printed the benchmark's name
	}
	_, err := measureAll(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTry_withoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := TestCommand{Packages: []string{"./p"}, Run: "."}.Try(t.Context())
	require.EqualError(t, err, "go test: the go command is not installed, or not in PATH: install Go")
}

// TestMeasure_tooMuchOutput checks a benchmark that never stops printing.
func TestMeasure_tooMuchOutput(t *testing.T) {
	goEnvironment(t)
	line := strings.Repeat("hello ", 1000) // short ones would take the race detector a minute
	dir := benchModule(t, "func BenchmarkFlood(b *testing.B) {\n\tfor {\n\t\tfmt.Println(\""+line+"\")\n\t}\n}\n", nil)
	_, err := measureAll(t.Context(), TestCommand{Dir: dir, Packages: []string{"./p"}, Run: "."})
	require.EqualError(t, err, "example.com/m/p: BenchmarkFlood prints more than 64 MiB: "+wantSilence)
}

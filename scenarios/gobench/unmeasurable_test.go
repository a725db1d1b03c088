package gobench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// TestCompare_unmeasurable tries each way to have no result, on either side or both. None passes.
func TestCompare_unmeasurable(t *testing.T) {
	testenv.Slow(t)
	skipIfRaced(t)
	bodies := map[string]string{
		"Good":    `for b.Loop() { Work(1) }`,
		"Fails":   `b.Fatal("no such luck")`,
		"Panics":  `panic("oh no")`,
		"Skips":   `b.Skip("not here")`,
		"Hangs":   `for b.Loop() { time.Sleep(time.Hour) }`,
		"Chatty":  `for b.Loop() { fmt.Println("chatter"); time.Sleep(time.Millisecond) }; for { fmt.Println("for ever"); time.Sleep(time.Millisecond) }`,
		"Exits":   `os.Exit(0)`,
		"NaN":     `for b.Loop() { Work(1) }; b.ReportMetric(math.NaN(), "x")`,
		"Stopped": `b.StopTimer(); for range b.N { Work(1) }`,
		"NoLoop":  `Work(1)`,
	}
	order := []string{"Good", "Fails", "Panics", "Skips", "Hangs", "Chatty", "Exits", "NaN", "Stopped", "NoLoop"}
	file := func(broken func(name string) bool) string {
		var s strings.Builder
		s.WriteString("import (\"fmt\"; \"math\"; \"os\"; \"testing\"; \"time\")\n\nvar _ = fmt.Println\nvar _ = math.NaN\nvar _ = os.Exit\nvar _ = time.Sleep\n\n")
		for _, name := range order {
			body := bodies["Good"]
			if broken(name) {
				body = bodies[name]
			}
			s.WriteString("func Benchmark" + name + "(b *testing.B) { " + body + " }\n\n")
		}
		return test(s.String())
	}
	good, bad := file(func(string) bool { return false }), file(func(string) bool { return true })
	quiet := file(func(name string) bool { return name != "Chatty" }) // a benchmark that hangs makes the test slow
	texts := map[string]string{
		"Fails": "failed: m_test.go:", "Panics": "ended with a panic: oh no", "Skips": "was skipped: m_test.go:",
		"Hangs":  "has not ended after 5s",
		"Chatty": "has not ended after 5s", "Exits": "ended with a panic: unexpected call to os.Exit(0)",
		"NaN":     "reports NaN x",
		"Stopped": "see that it loops b.N times, or while b.Loop(), and that its timer runs",
		"NoLoop":  "see that it loops b.N times",
	}
	for _, c := range []struct {
		name      string
		base, now string
		verdict   map[string]results.Verdict // of the broken benchmarks; Inconclusive if not listed
		where     string
	}{
		{"now", good, bad, map[string]results.Verdict{"Fails": results.Regressed, "Panics": results.Regressed,
			"Hangs": results.Regressed, "Chatty": results.Regressed, "Exits": results.Regressed}, "now it "},
		{"base", quiet, good, nil, "in the base it "},
		{"both", quiet, strings.Replace(quiet, "no such luck", "no luck", 1), nil, "in the base it "},
	} {
		r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": c.base})
		r.write(map[string]string{"m_test.go": c.now})
		o := r.options()
		o.Limit = 5 * time.Second // enough for what ends by itself, even on a busy machine
		out, err := Compare(t.Context(), o)
		require.NoError(t, err)
		require.NotEqual(t, results.Pass, out.Judgement.Verdict)
		for _, name := range order[1:] {
			if name == "Chatty" && c.now != bad {
				continue
			}
			row := find(t, out, name+"-2", "ns/op")
			want, named := c.verdict[name]
			if !named {
				want = results.Inconclusive
			}
			require.Equal(t, want, row.Verdict, "%s %s: %s", c.name, name, report.Note(row))
			require.True(t, strings.HasPrefix(report.Note(row), c.where), "%s %s: %s", c.name, name, report.Note(row))
			require.Contains(t, report.Note(row), texts[name], "%s %s", c.name, name)
		}
		require.NotEmpty(t, find(t, out, "Good-2", "ns/op").Now)
		stacks, err := filepath.Glob(filepath.Join(o.Out, "goroutines-*Hangs*"))
		require.NoError(t, err)
		require.NotEmpty(t, stacks)
		text, err := os.ReadFile(stacks[0])
		require.NoError(t, err)
		require.Contains(t, string(text), "BenchmarkHangs")
	}
}

// TestCompare_oneSideOnly checks that a removed benchmark never passes, and that a new one is only
// listed.
func TestCompare_oneSideOnly(t *testing.T) {
	bench := func(names ...string) string {
		s := "import \"testing\"\n\n"
		for _, n := range names {
			s += "func Benchmark" + n + "(b *testing.B) { for b.Loop() { Work(1) } }\n"
		}
		return test(s)
	}
	r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": bench("Stays", "Goes"),
		"gone/m.go": allocating, "gone/m_test.go": bench("Stays")})
	r.write(map[string]string{"m_test.go": bench("Stays", "Comes"), "come/m.go": allocating,
		"come/m_test.go": bench("Stays")})
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "gone")))
	o := r.options()
	o.Packages = []string{"./..."}
	out, err := Compare(t.Context(), o)
	require.NoError(t, err)
	rows := map[string]judge.Row{}
	for _, row := range out.Judgement.Rows {
		if row.Unit.Name == "ns/op" {
			rows[row.Scenario+" "+row.Op] = row
		}
	}
	require.NotNil(t, rows["example.com/m Stays-2"].Now)
	require.Equal(t, results.Inconclusive, rows["example.com/m Goes-2"].Verdict)
	require.Equal(t, results.Inconclusive, rows["example.com/m/gone Stays-2"].Verdict)
	for _, name := range []string{"example.com/m Comes-2", "example.com/m/come Stays-2"} {
		require.Empty(t, rows[name].Verdict)
		require.Equal(t, "not in the base: no verdict", report.Note(rows[name]))
	}
}

// TestCompare_printsBesideResult checks that a result is found after other output on its line.
func TestCompare_printsBesideResult(t *testing.T) {
	bench := func(n string) string {
		return test(`import ("fmt"; "os"; "testing")

func BenchmarkPrints(b *testing.B) {
	fmt.Print("no line feed: BenchmarkPrints-2 \t 1\t 5 ns/op")
	fmt.Fprintln(os.Stderr, "on standard error")
	for b.Loop() {
		Work(` + n + `)
	}
	fmt.Print("BenchmarkOther-2 \t 100 \t 1 ns/op and on goes the line ")
}
`)
	}
	r := newRepository(t, map[string]string{"m.go": allocating, "m_test.go": bench("1")})
	r.write(map[string]string{"m_test.go": bench("2")})
	out, err := Compare(t.Context(), r.options())
	require.NoError(t, err)
	row := find(t, out, "Prints-2", "allocs/op")
	require.Equal(t, results.Regressed, row.Verdict)
	require.Equal(t, []float64{1, 2}, []float64{row.Base.Median, row.Now.Median})
}

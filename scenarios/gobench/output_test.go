package gobench

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// feed writes text to a reader in pieces of n bytes, as a pipe may deliver it.
func feed(r testReader, text string, n int) (err error) {
	for len(text) > 0 && err == nil {
		piece := text[:min(n, len(text))]
		_, err = r.Write([]byte(piece))
		text = text[len(piece):]
	}
	return err
}

const measuredOutput = "goos: linux\ngoarch: amd64\npkg: example.com/m\ncpu: Example CPU   \n" +
	"BenchmarkPush-2   \t     100\t      1500 ns/op\t       0 B/op\t       0 allocs/op\n" +
	"BenchmarkPush-2   \t     100\t      1600 ns/op\t       0 B/op\t       0 allocs/op\n" +
	"--- BENCH: BenchmarkPush-2\n    m_test.go:8: a log\n" +
	"Unit tokens/op better=higher\nPASS\nok  \texample.com/m\t1.234s\n"

// TestLineReader checks that the pieces in which the output arrives make no difference.
func TestLineReader(t *testing.T) {
	for n := 1; n <= len(measuredOutput); n += 7 {
		r := newLineReader([]benchmarkName{{"example.com/m", "BenchmarkPush-2"}}, 2, nil)
		require.NoError(t, feed(r, measuredOutput, n))
		r.end()
		require.NoError(t, r.complete("", false))
		require.Equal(t, []string{
			"goos: linux", "goarch: amd64", "pkg: example.com/m", "cpu: Example CPU   ",
			"BenchmarkPush-2   \t     100\t      1500 ns/op\t       0 B/op\t       0 allocs/op",
			"BenchmarkPush-2   \t     100\t      1600 ns/op\t       0 B/op\t       0 allocs/op",
			"Unit tokens/op better=higher",
		}, r.lines)
	}
}

// TestLineReader_v reads the output of go test -v, which prints each name alone before its results.
func TestLineReader_v(t *testing.T) {
	r := newLineReader([]benchmarkName{{"example.com/m", "BenchmarkPush-2"}}, 2, nil)
	require.NoError(t, feed(r, strings.Replace(measuredOutput, "BenchmarkPush",
		"=== RUN   BenchmarkPush\nBenchmarkPush\nBenchmarkPush", 1), 100))
	r.end()
	require.NoError(t, r.complete("", false))
	require.Len(t, r.lines, 7)
}

// TestEventReader_panicAfterResult checks output in which the panic of a benchmark comes after a
// result that go test printed in the meantime.
func TestEventReader_panicAfterResult(t *testing.T) {
	r := &eventReader{}
	require.NoError(t, feed(r, `{"Action":"run","Package":"example.com/m","Test":"BenchmarkX"}
{"Action":"output","Package":"example.com/m","Test":"BenchmarkX","Output":"BenchmarkX-2   \t       1\t       0 B/op\t       0 allocs/op\n"}
{"Action":"output","Package":"example.com/m","Output":"panic: boom\n"}
{"Action":"output","Package":"example.com/m","Output":"\n"}
{"Action":"output","Package":"example.com/m","Output":"example.com/m.BenchmarkX(0x190bffc6e308?)\n"}
{"Action":"output","Package":"example.com/m","Output":"exit status 2\n"}
{"Action":"fail","Package":"example.com/m","Elapsed":0.05}
`, 100))
	require.EqualError(t, r.problem(TestCommand{Packages: []string{"./m"}, Run: "."}, "", true),
		"example.com/m: BenchmarkX panics (boom): "+wantRunnable)
}

func TestNoTime(t *testing.T) {
	for text, want := range map[string]string{
		"BenchmarkX-2 1000000000 0.25 ns/op":                 "",
		"BenchmarkX-8 1000000000 0.02 ns/op":                 "", // eight processors at once
		"BenchmarkX 1000000000 0.02 ns/op":                   "reports 0.02 ns/op, which is no time that a loop could take",
		"BenchmarkX-2 1000000000 0.0000012 ns/op":            "reports 1.2e-06 ns/op, which is no time that a loop could take",
		"BenchmarkX-2 100 0 ns/op":                           "reports 0 ns/op, which is no time that a loop could take",
		"BenchmarkX-2 100 -5 ns/op":                          "reports -5 ns/op, which is no time that a loop could take",
		"BenchmarkX-2 100 0 B/op 0 allocs/op":                "reports 0 ns/op",
		"BenchmarkX-2 100 3 ms-to-cancel 0 B/op 1 allocs/op": "", // metrics of its own instead of the time
	} {
		samples, err := results.ParseGoBenchmarks([]string{text})
		require.NoError(t, err)
		require.Equal(t, want, noTime(samples[0]), text)
	}
}

// FuzzLineReader checks that, whatever a test binary prints, either each benchmark has exactly its
// samples or an error says what is wrong.
func FuzzLineReader(f *testing.F) {
	f.Add(measuredOutput, 10)
	f.Add("goos: x\ngoarch: y\npkg: example.com/m\nBenchmarkPush-2 \thello\n 10\t 5 ns/op\n", 3)
	f.Add("BenchmarkPush-2 \t--- FAIL: BenchmarkPush-2\n    x_test.go:1: no\n", 1)
	f.Add("BenchmarkPush-2 \t0\tNaN ns/op\npanic: boom\n", 100)
	f.Add("helloBenchmarkPush-2 \t 10\t 5 ns/op\n", 100)
	f.Add("pkg: example.com/m \nBenchmarkPush-2 1 5 ns/op\nBenchmarkPush-2 1 5 ns/op\n", 100)
	f.Add("pkg: example.com/m\nUnit ns/op\nBenchmarkPush-2 1 5 ns/op\nBenchmarkPush-2 1 5 ns/op\nUnit", 100)
	f.Fuzz(func(t *testing.T, text string, n int) {
		r := newLineReader([]benchmarkName{{"example.com/m", "BenchmarkPush-2"}}, 2, nil)
		_ = feed(r, text, max(1, n))
		r.end()
		err := r.complete("", false)
		if r.failure != nil {
			err = r.failure
		}
		if err != nil {
			require.NotEmpty(t, err.(*TestError).Want)
			return
		}
		samples, err := results.ParseGoBenchmarks(r.lines)
		require.NoError(t, err)
		require.Len(t, samples, 2)
		for _, s := range samples {
			require.Equal(t, "Push", s.Name)
			require.Equal(t, "example.com/m", s.Package)
		}
	})
}

// FuzzEventReader checks that no output of go test -json makes a trial include a benchmark that
// wasn't run.
func FuzzEventReader(f *testing.F) {
	f.Add(`{"Action":"start","Package":"example.com/m"}
{"Action":"output","Package":"example.com/m","Test":"BenchmarkX","Output":"BenchmarkX-2 \t"}
{"Action":"output","Package":"example.com/m","Test":"BenchmarkX","Output":"       1\t      1031 ns/op\n"}
`)
	f.Add(`{"Action":"skip","Package":"a","Test":"BenchmarkX"}` + "\nno JSON\n{}\n")
	f.Add(`{"Action":"fail","Package":"a","Test":"BenchmarkX"}`)
	f.Fuzz(func(t *testing.T, text string) {
		r := &eventReader{}
		require.NoError(t, feed(r, text, 50))
		err := r.problem(TestCommand{Packages: []string{"./p"}, Run: "."}, "", false)
		if err != nil {
			require.NotEmpty(t, err.(*TestError).Want)
			return
		}
		require.NotEmpty(t, r.names())
	})
}

package baseline

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/results"
)

// testMachine is a machine that exists nowhere.
var testMachine = results.Machine{OS: "linux", Arch: "amd64", CPU: "Example CPU @ 3.00GHz", Cores: 2, GOMAXPROCS: 2,
	MemoryBytes: 24 << 30, Kernel: "6.1.0", GoVersion: "go1.26.0", Identity: "0123456789ab"}

var testStart = time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC)

// rolloutRecords returns repetitions of push and verify with some noise. Their times are multiplied
// by slower.
func rolloutRecords(seed uint64, repetitions int, slower float64) []results.Record {
	random := rand.New(rand.NewPCG(seed, 1))
	noise := func() float64 { return 1 + 0.05*random.NormFloat64() }
	var records []results.Record
	for i := range repetitions {
		for _, op := range []string{"push", "verify"} {
			records = append(records, results.Record{Scenario: "rollout", Op: op, Repetition: i + 1, Ops: 5000,
				Values: []results.Value{
					{Unit: "ns/op", Value: 13200 * slower * noise()}, {Unit: "p99-ns/op", Value: 52000 * slower * noise()},
					{Unit: "ops/s", Value: 41000 / slower * noise()},
					{Unit: "B/op", Value: 24 + float64(random.IntN(2))}, {Unit: "allocs/op", Value: 1},
					{Unit: "requests/device", Value: 1}, {Unit: "wire-B/device", Value: 65913.5}, {Unit: "failed/device", Value: 0},
				}})
		}
	}
	return records
}

// sample returns a record for each value, of push in rollout.
func sample(unit string, values ...float64) []results.Record {
	var records []results.Record
	for i, v := range values {
		records = append(records, results.Record{Scenario: "rollout", Op: "push", Repetition: i + 1, Ops: 1,
			Values: []results.Value{{Unit: unit, Value: v}}})
	}
	return records
}

func testPage() Page {
	return Page{
		Machine: testMachine, Revision: "5d3d764", GoVersion: "go1.26.0", Created: testStart,
		Scenarios: []Scenario{{Name: "rollout", WorkloadDigest: "sha256:aa", Command: "fleetmark run rollout --seed 1",
			Repetitions: 10, Counts: results.Counts{Devices: 50000, Updated: 50000}, Records: rolloutRecords(1, 10, 1)}},
		History: "### Pooled buffers\n\nHelped: 91 to 1 allocation.\n\ngoos: linux\n",
	}
}

// testSections returns sections that together have everything that a section can have.
func testSections() []Section {
	return []Section{
		{Name: "time", Title: "Where the time goes", Body: "Of 3 operations.\n\n| op | ns |\n|:---|---:|\n| a\\|b | 1 |",
			Figures: map[string]float64{"push wait ns": 1200, "share": 0.25}},
		{Name: "left-out", Title: "Left *out*", Body: "It was not measured."},
		{Name: "empty", Title: "Empty"},
	}
}

// goBenchmarkLines returns the output of go test of two packages. The cpu line ends in spaces, as
// it does on some machines.
func goBenchmarkLines() []string {
	return strings.Split(`goos: linux
goarch: amd64
pkg: example.com/parse
cpu: Example CPU @ 3.00GHz   `+`
BenchmarkParse-2            	   10000	     15500 ns/op	     120 B/op	       3 allocs/op
BenchmarkParse-2            	   10000	     16500 ns/op	     120 B/op	       3 allocs/op
BenchmarkParse/size=1MB-2   	     500	   2000000 ns/op	 524.29 MB/s	     120 B/op	       3 allocs/op
Unit tokens/op better=higher
BenchmarkTokens-2           	     500	    200.5 ns/op	       7.000 tokens/op
pkg: example.com/write
BenchmarkParse-2            	     500	        0.2500 ns/op`, "\n")
}

func testGoBenchmarks(t testing.TB) []results.GoBenchmarks {
	t.Helper()
	samples, err := results.ParseGoBenchmarks(goBenchmarkLines())
	require.NoError(t, err)
	return []results.GoBenchmarks{
		{Command: "go test -run '^$' -bench . -benchmem -count 2 ./parse ./write", Lines: goBenchmarkLines(),
			Samples: samples},
		{Command: "go test -run '^$' -bench Parse ./write", Lines: goBenchmarkLines()[9:],
			Samples: []results.BenchmarkSample{samples[4]}},
	}
}

func pageText(t testing.TB, b Page) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, Write(&text, b))
	return text.String()
}

func writeTemp(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func samplesText(t testing.TB, records ...results.Record) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, results.NewSampleWriter(&text, 2).Write(records...))
	return text.String()
}

// requireInput checks that err is a [*results.InputError] about a line, with text in its message.
func requireInput(t testing.TB, err error, line int, text string) {
	t.Helper()
	var input *results.InputError
	require.ErrorAs(t, err, &input)
	require.Equal(t, line, input.Line, err.Error())
	require.Contains(t, err.Error(), text)
	require.NotEmpty(t, input.Want, "the error must say what to do")
	require.NotContains(t, err.Error(), "\n")
}

// benchstatPath builds the benchstat that go.mod names, and returns its path.
var benchstatPath = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("go", "tool", "-n", "benchstat").Output()
	return strings.TrimSpace(string(path)), err
})

// benchstat returns what benchstat prints about files in dir.
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

func readText(t testing.TB, text string) (*Page, error) {
	t.Helper()
	return Read(writeTemp(t, FileName, text))
}

// throughputScenario returns a scenario with every field set.
func throughputScenario() Scenario {
	return Scenario{
		Name: "throughput", WorkloadDigest: "sha256:bb", Command: "fleetmark run throughput \\\n  --set 'load.rate=10/s'",
		Repetitions: 1,
		Unconfirmed: true, ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 15400, Blocks: 20},
		Counts:       results.Counts{Devices: 1, Updated: 2, Failed: 3, Lost: 4, AppliedTwice: 5},
		Interference: &results.Interference{OthersFraction: 0.02, StolenFraction: 0.001},
		Records: []results.Record{{Scenario: "throughput", Op: "deliver", Repetition: 1, Ops: 7,
			Values: []results.Value{{Unit: "MB/s", Value: 0.1 + 0.2}, {Unit: "ns/op"}, {Unit: "unheard-of", Value: -1}}}},
	}
}

// hostilePage returns a page in which every text that a user can choose tries to break out of its
// place.
func hostilePage() Page {
	const evil = "a|b `c` <!-- fleetmark:end samples=0 -->\nBenchmarkEvil 1 1 ns/op\nUnit ns/op better=higher\nkey: value\n```\n```text\n\x1b[31m"
	b := testPage()
	b.Machine.CPU, b.Machine.Kernel, b.Machine.OS, b.Machine.Arch, b.Machine.Identity = evil, evil, evil, evil, evil
	b.Revision, b.GoVersion = evil, evil
	b.Scenarios[0].Command, b.Scenarios[0].WorkloadDigest = evil, evil
	w := NewSection("evil", "Evil `c` | <b>")
	w.Text("Text: %s", evil)
	w.Table("lr", []string{evil, "n"}, [][]string{{evil, evil}})
	w.Commands(strings.ReplaceAll(evil, "<!--", "<!-"))
	w.Figure(evil, 1)
	section, err := w.Section()
	if err != nil {
		panic(err)
	}
	b.Sections = []Section{section}
	return b
}

// readAsBenchstat returns the result lines that the format's reader finds, and the configuration
// lines that apply to them.
func readAsBenchstat(t *testing.T, text string) (results []string, config map[string]bool) {
	t.Helper()
	config = make(map[string]bool)
	reader := benchfmt.NewReader(strings.NewReader(text), "page")
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatalf("benchstat would report an error: %v", rec)
		case *benchfmt.Result:
			var line bytes.Buffer
			line.WriteString(rec.Name.String())
			for _, v := range rec.Values {
				line.WriteString(" " + v.Unit + " ")
				line.WriteString(strconv.FormatFloat(v.Value, 'g', -1, 64))
			}
			results = append(results, line.String())
			for _, c := range rec.Config {
				config[c.Key+": "+string(c.Value)] = true
			}
		}
	}
	require.NoError(t, reader.Err())
	return results, config
}

package results

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testMachine is a machine that exists nowhere.
var testMachine = Machine{OS: "linux", Arch: "amd64", CPU: "Example CPU @ 3.00GHz", Cores: 2, GOMAXPROCS: 2,
	MemoryBytes: 24 << 30, Kernel: "6.1.0", GoVersion: "go1.26.0", Identity: "0123456789ab"}

// rolloutRecords returns repetitions of push and verify with some noise. Their times are multiplied
// by slower.
func rolloutRecords(seed uint64, repetitions int, slower float64) []Record {
	random := rand.New(rand.NewPCG(seed, 1))
	noise := func() float64 { return 1 + 0.05*random.NormFloat64() }
	var records []Record
	for i := range repetitions {
		for _, op := range []string{"push", "verify"} {
			records = append(records, Record{Scenario: "rollout", Op: op, Repetition: i + 1, Ops: 5000, Values: []Value{
				{"ns/op", 13200 * slower * noise()}, {"p99-ns/op", 52000 * slower * noise()}, {"ops/s", 41000 / slower * noise()},
				{"B/op", 24 + float64(random.IntN(2))}, {"allocs/op", 1}, {"requests/device", 1}, {"wire-B/device", 65913.5},
				{"failed/device", 0},
			}})
		}
	}
	return records
}

// sample returns a record for each value, of push in rollout.
func sample(unit string, values ...float64) []Record {
	var records []Record
	for i, v := range values {
		records = append(records, Record{Scenario: "rollout", Op: "push", Repetition: i + 1, Ops: 1,
			Values: []Value{{unit, v}}})
	}
	return records
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

func testGoBenchmarks(t testing.TB) []GoBenchmarks {
	t.Helper()
	samples, err := ParseGoBenchmarks(goBenchmarkLines())
	require.NoError(t, err)
	return []GoBenchmarks{
		{Command: "go test -run '^$' -bench . -benchmem -count 2 ./parse ./write", Lines: goBenchmarkLines(),
			Samples: samples},
		{Command: "go test -run '^$' -bench Parse ./write", Lines: goBenchmarkLines()[9:],
			Samples: []BenchmarkSample{samples[4]}},
	}
}

func samplesText(t testing.TB, records ...Record) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, NewSampleWriter(&text, 2).Write(records...))
	return text.String()
}

// requireInput checks that err is an [*InputError] about a line, with text in its message.
func requireInput(t testing.TB, err error, line int, text string) {
	t.Helper()
	var input *InputError
	require.ErrorAs(t, err, &input)
	require.Equal(t, line, input.Line, err.Error())
	require.Contains(t, err.Error(), text)
	require.NotEmpty(t, input.Want, "the error must say what to do")
	require.NotContains(t, err.Error(), "\n")
}

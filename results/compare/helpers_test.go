package compare

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
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

func testBaseline() baseline.Page {
	return baseline.Page{
		Machine: testMachine, Revision: "5d3d764", GoVersion: "go1.26.0", Created: testStart,
		Scenarios: []baseline.Scenario{{Name: "rollout", WorkloadDigest: "sha256:aa",
			Command:     "fleetmark run rollout --seed 1",
			Repetitions: 10, Counts: results.Counts{Devices: 50000, Updated: 50000}, Records: rolloutRecords(1, 10, 1)}},
		History: "### Pooled buffers\n\nHelped: 91 to 1 allocation.\n\ngoos: linux\n",
	}
}

func baselineText(t testing.TB, b baseline.Page) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, baseline.Write(&text, b))
	return text.String()
}

func samplesText(t testing.TB, records ...results.Record) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, results.NewSampleWriter(&text, 2).Write(records...))
	return text.String()
}

func writeTemp(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
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

// newDirectory returns the directory of a finished run, and the run.
func newDirectory(t *testing.T) (*rundir.Directory, results.Run) {
	t.Helper()
	d, err := rundir.Create(t.TempDir(), "rollout", testStart, "1a2b3c")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	run := results.Run{ID: "1a2b3c", Scenario: "rollout", Machine: testMachine, Started: testStart,
		Status: results.StatusFinished, Valid: true}
	require.NoError(t, d.WriteRun(run))
	return d, run
}

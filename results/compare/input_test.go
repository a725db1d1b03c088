package compare

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// TestOpen_run checks that a run's directory and the samples file in it are the same input, even if
// the last line was cut, and that benchstat finds the same values in the file.
func TestOpen_run(t *testing.T) {
	d, run := newDirectory(t)
	run.Valid, run.Invalid = false, []string{"the fleet was saturated"}
	require.NoError(t, d.AppendRepetition(rolloutRecords(1, 10, 1)))
	require.NoError(t, d.WriteRun(run))
	whole, err := os.ReadFile(filepath.Join(d.Path(), rundir.SamplesFile))
	require.NoError(t, err)
	half := "BenchmarkScenario/rollout/op=push-2 5000 1 ns/op 12 p99-n"
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), rundir.SamplesFile), append(whole, half...), 0o644))

	var tables [][]Table
	for _, path := range []string{d.Path(), filepath.Join(d.Path(), rundir.SamplesFile), d.Path() + "/", "x=" + d.Path()} {
		in, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, string(whole), string(in.data), "the half line is left out")
		warnings := strings.Join(in.Warnings, "\n")
		require.Contains(t, warnings, fmt.Sprintf("the last %d of %d bytes are no part of the run", len(half),
			len(whole)+len(half)))
		require.Contains(t, warnings, "the run is invalid: the fleet was saturated")
		in.Label = "run"
		c, err := Inputs([]Input{in}, Options{})
		require.NoError(t, err)
		require.Contains(t, c.Warnings, in.Warnings[0])
		tables = append(tables, c.Tables)
	}
	for _, other := range tables[1:] {
		require.Equal(t, tables[0], other)
	}

	// Unlike benchstat, Open returns an error if a line before the last is damaged.
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), rundir.SamplesFile),
		[]byte(half+"\n"+string(whole[:100])+string(whole[200:])), 0o644))
	_, err = Open(d.Path())
	var input *results.InputError
	require.ErrorAs(t, err, &input)
	require.Positive(t, input.Line)
}

// TestOpen_samplesWithoutRun checks that a file samples.txt without a run.json beside it is read as
// any other file.
func TestOpen_samplesWithoutRun(t *testing.T) {
	in, err := Open(writeTemp(t, rundir.SamplesFile, "BenchmarkA 1 1 ns/op"))
	require.NoError(t, err)
	c, err := Inputs([]Input{in}, Options{})
	require.NoError(t, err)
	require.Len(t, c.Tables, 1)
}

func TestReadRefuses(t *testing.T) {
	gone := errors.New("gone")
	_, err := Read(failingReader{gone}, "standard input")
	requireInput(t, err, 0, "standard input: can't be read (gone)")
	require.ErrorIs(t, err, gone)
}

// TestOpen_runWithoutSamples checks that a run without samples is refused.
func TestOpen_runWithoutSamples(t *testing.T) {
	d, _ := newDirectory(t)
	_, err := Open(d.Path())
	requireInput(t, err, 0, "the run holds no samples")
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

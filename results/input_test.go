package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOpenInputOfARun: a run's directory and the samples in it are the same input,
// cut or whole, and benchstat agrees with what they hold.
func TestOpenInputOfARun(t *testing.T) {
	d := newDirectory(t)
	run := testRun()
	run.Status, run.Valid, run.Invalid = StatusFinished, false, []string{"the fleet was saturated"}
	require.NoError(t, d.WriteRun(run))
	require.NoError(t, d.AppendSamples(rolloutRecords(1, 10, 1)...))
	require.NoError(t, d.WriteRun(run))
	whole, err := os.ReadFile(filepath.Join(d.Path(), SamplesFile))
	require.NoError(t, err)
	half := "BenchmarkScenario/rollout/op=push-2 5000 1 ns/op 12 p99-n"
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), SamplesFile), append(whole, half...), 0o644))

	var tables [][]ComparisonTable
	for _, path := range []string{d.Path(), filepath.Join(d.Path(), SamplesFile), d.Path() + "/", "x=" + d.Path()} {
		in, err := OpenInput(path)
		require.NoError(t, err)
		require.Equal(t, string(whole), string(in.data), "the half line is left out")
		warnings := strings.Join(in.Warnings, "\n")
		require.Contains(t, warnings, fmt.Sprintf("the last %d of %d bytes are no part of the run", len(half), len(whole)+len(half)))
		require.Contains(t, warnings, "the run is invalid: the fleet was saturated")
		in.Label = "run"
		c, err := Compare([]Input{in}, CompareOptions{})
		require.NoError(t, err)
		require.Contains(t, c.Warnings, in.Warnings[0])
		tables = append(tables, c.Tables)
	}
	for _, other := range tables[1:] {
		require.Equal(t, tables[0], other)
	}

	// Damage before the end is an error, though benchstat would go on.
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), SamplesFile), []byte(half+"\n"+string(whole[:100])+string(whole[200:])), 0o644))
	_, err = OpenInput(d.Path())
	var input *InputError
	require.ErrorAs(t, err, &input)
	require.Positive(t, input.Line)
}

// TestSamplesElsewhereAreReadAsTheyAre: samples.txt without a run.json beside it
// is any file.
func TestSamplesElsewhereAreReadAsTheyAre(t *testing.T) {
	in, err := OpenInput(writeTemp(t, SamplesFile, "BenchmarkA 1 1 ns/op"))
	require.NoError(t, err)
	c, err := Compare([]Input{in}, CompareOptions{})
	require.NoError(t, err)
	require.Len(t, c.Tables, 1)
}

func TestReadInputRefuses(t *testing.T) {
	gone := errors.New("gone")
	_, err := ReadInput(failingReader{gone}, "standard input")
	requireInput(t, err, 0, "standard input: can't be read (gone)")
	require.ErrorIs(t, err, gone)
}

func TestInputErrorIsOneLine(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]*InputError{
		"page.md:12: damaged: restore it": {Path: "page.md", Line: 12, Problem: "damaged", Want: "restore it", Err: cause},
		"page.md: damaged: restore it":    {Path: "page.md", Problem: "damaged", Want: "restore it"},
		"page.md: damaged":                {Path: "page.md", Problem: "damaged"},
	} {
		require.EqualError(t, err, want)
	}
	require.ErrorIs(t, &InputError{Err: cause}, cause)
}

package baselinepage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/codestats"
)

// TestCode_packages checks that the table of packages is on the page once: under code, or with the
// tests if they were run.
func TestCode_packages(t *testing.T) {
	source := &sourceMeasurement{stats: &codestats.Stats{Packages: []codestats.Package{
		{Path: "a", Code: codestats.Lines{Code: 1000}, Tests: codestats.Lines{Code: 1500}},
		{Path: "b", Code: codestats.Lines{Code: 10}},
	}}}
	s := written(t, source.writeCode)
	require.Equal(t, [][]string{{"a", "1,000", "1,500", "1.5"}}, rowsOf(s, "a"))
	require.Equal(t, [][]string{{"all", "1,010", "1,500", "1.5"}}, rowsOf(s, "all"))

	source.names = map[string]codestats.TestNames{"a": {"Test": {"TestX", "TestY"}, "Benchmark": {"BenchmarkX"}}}
	source.tested = &codestats.TestReport{Passed: 2,
		Coverage: map[string]codestats.Coverage{"a": {Statements: 8, Reached: 6}}}
	require.Empty(t, rowsOf(written(t, source.writeCode), "a"))
	s = written(t, source.writeTests)
	require.Equal(t, [][]string{{"a", "1,000", "1,500", "1.5", "2", "0", "0", "1", "75.0%"}}, rowsOf(s, "a"))
	require.Equal(t, [][]string{{"b", "10", "0", "0.0", "0", "0", "0", "0"}}, rowsOf(s, "b"))
	require.Equal(t, [][]string{{"all", "1,010", "1,500", "1.5", "2", "0", "0", "1", "75.0%"}}, rowsOf(s, "all"))
	require.Equal(t, map[string]float64{"failed": 0, "passed": 2, "coverage a": 0.75}, s.Figures)
}

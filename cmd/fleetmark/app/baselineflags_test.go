package app

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

func TestBenchFlags(t *testing.T) {
	given := func(names ...string) func(string) bool {
		return func(n string) bool { return slices.Contains(names, n) }
	}
	for _, time := range []string{"", "1s", "300ms", "100x"} {
		require.NoError(t, benchFlags{time: time, within: 1}.check(given()), time)
	}
	for want, f := range map[string]benchFlags{
		"--bench-count 0: want 1 to 1000":    {within: 1},
		"--bench-count 1001: want 1 to 1000": {count: 1001, within: 1},
		"--bench-within 0s: want a time":     {count: 1},
		`--bench-time "0x": want a time`:     {count: 1, within: 1, time: "0x"},
		`--bench-time "-1s": want a time`:    {count: 1, within: 1, time: "-1s"},
		`--bench-time "soon": want a time`:   {count: 1, within: 1, time: "soon"},
	} {
		err := f.check(given("bench-count"))
		require.ErrorContains(t, err, want)
		require.Equal(t, cli.ExitUsage, cli.CodeOf(err))
	}
}

func TestBaselineSectionsFlag(t *testing.T) {
	f := baselineFlags{sections: "everything"}
	_, _, err := f.builder(t.Context(), cli.Console{})
	require.Equal(t, cli.ExitUsage, cli.CodeOf(err))
	require.ErrorContains(t, err, `--sections "everything": want all, none, or some of benchmarks, operations, time`)
}

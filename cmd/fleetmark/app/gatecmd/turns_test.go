package gatecmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
)

func TestParseProcs(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "1": {1}, "1,2, 4": {1, 2, 4}, "4096": {4096}} {
		procs, err := parseProcs(list)
		require.NoError(t, err, list)
		require.Equal(t, want, procs, list)
	}
	for _, list := range []string{"0", "-1", "1,", "two", "4097", "1;2"} {
		_, err := parseProcs(list)
		require.ErrorContains(t, err, "want numbers of processors such as 1,2,4", list)
		require.Equal(t, cli.ExitUsage, cli.CodeOf(err))
	}
}

// TestBenchPackages checks that packages on the command line take precedence over those of
// fleetmark.yaml, which are relative to the root.
func TestBenchPackages(t *testing.T) {
	configured := project.Project{Root: "/tree", Config: project.Config{Benchmarks: []project.Benchmarks{
		{Packages: []string{"./a", "./b"}}, {Packages: []string{"./c"}},
	}}}
	for _, c := range []struct {
		here     project.Project
		named    []string
		packages []string
		dir      string
	}{
		{configured, []string{"./x"}, []string{"./x"}, ""},
		{configured, nil, []string{"./a", "./b", "./c"}, "/tree"},
		{project.Project{Root: "/tree"}, nil, []string{"."}, ""},
		{project.Project{}, nil, []string{"."}, ""},
	} {
		packages, dir := benchPackages(c.here, c.named)
		require.Equal(t, c.packages, packages)
		require.Equal(t, c.dir, dir)
	}
}

func TestVerdictsText(t *testing.T) {
	require.Empty(t, verdictsText(nil))
	require.Equal(t, "1 regressed, 9 pass, 2 inconclusive",
		verdictsText(map[results.Verdict]int{results.Pass: 9, results.Inconclusive: 2, results.Regressed: 1,
			results.Invalid: 0}))
}

func TestUpperMedian(t *testing.T) {
	require.Equal(t, 2.0, upperMedian([]float64{3, 1, 2}))
	require.Equal(t, 3.0, upperMedian([]float64{4, 1, 3, 2}))
}

func TestClientTitle(t *testing.T) {
	for want, c := range map[string]project.Client{
		"delivery, x":            {Build: "make {out}", Packages: []string{"./delivery/...", "./x"}},
		"python3 'push it.py'":   {Build: "make", Command: []string{"python3", "push it.py"}},
		"node push.mjs '/{out}'": {Build: "make {out}", Command: []string{"node", "push.mjs", "/{out}"}},
		"the program":            {Build: "make {out}", Command: []string{"{out}", "--fast"}},
		"the client":             {},
	} {
		require.Equal(t, want, clientTitle(c))
	}
	require.Equal(t, "the program", clientTitle(project.Client{Build: "go build -o {out} ."}))
}

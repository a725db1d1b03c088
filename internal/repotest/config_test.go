package repotest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/codestats"
	"github.com/fleetmark/fleetmark/internal/project"
)

// TestConfigurationNamesWhatExists checks that every test and file that fleetmark.yaml names exists.
func TestConfigurationNamesWhatExists(t *testing.T) {
	root := repository(t)
	there, err := codestats.Names(root)
	require.NoError(t, err)
	in, err := project.Find(root)
	require.NoError(t, err)
	check := func(test string) {
		pkg, name, ok := strings.Cut(test, ".")
		require.True(t, ok, test)
		require.True(t, slices.Contains(there[pkg]["Test"], name), "there is no test %s in %s", name, pkg)
	}
	config := in.Config
	require.NotEmpty(t, config.AntiPatterns)
	for _, p := range config.AntiPatterns {
		for _, test := range p.Tests {
			check(test)
		}
	}
	require.NotEmpty(t, config.Targets)
	for _, target := range config.Targets {
		switch {
		case target.EnforcedBy == "":
			require.NotEmpty(t, target.Machine, "%s: no test enforces it, and it isn't limited to a machine", target.Name)
		case strings.Contains(target.EnforcedBy, ".Test"):
			check(target.EnforcedBy)
		default:
			require.FileExists(t, filepath.Join(root, target.EnforcedBy))
		}
	}
	for _, e := range config.Benchmarks {
		for benchmark, reference := range e.References {
			for _, name := range []string{benchmark, reference} {
				require.True(t, slices.Contains(there["delivery"]["Benchmark"], "Benchmark"+name),
					"there is no Benchmark%s in delivery", name)
			}
		}
	}
}

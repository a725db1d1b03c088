package explain_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
)

// TestBaselineProfiles checks the committed profiles that later ones are compared with: there are
// enough, they say how many operations they cover, and they hold no path of a machine.
func TestBaselineProfiles(t *testing.T) {
	for _, kind := range []profiles.Kind{profiles.CPU, profiles.Allocs} {
		files, err := profiles.Find(filepath.Join("..", "baseline"), kind)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(files), 8)
		for _, file := range files {
			p, err := profiles.Load(file)
			require.NoError(t, err)
			require.Positive(t, profiles.Operations(p))
			for _, f := range p.Function {
				require.False(t, filepath.IsAbs(f.Filename), f.Filename)
			}
			for _, m := range p.Mapping {
				require.False(t, filepath.IsAbs(m.File), m.File)
			}
		}
		_, err = explain.Explain(t.Context(), files[:5], files[3:8],
			explain.Options{Own: []string{"github.com/fleetmark/fleetmark/"}})
		require.NoError(t, err)
	}
}

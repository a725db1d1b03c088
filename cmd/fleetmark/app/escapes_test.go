package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// TestGate_controlCharacters checks that no text taken from a run reaches the terminal as a control
// sequence, whether the run can be read or not.
func TestGate_controlCharacters(t *testing.T) {
	const evil, shown = "a\x1b]0;title\x07", "a\uFFFD]0;title\uFFFD"
	g := newGateFiles()
	g.run.Notes = []string{"note " + evil}
	dir := g.write(t)
	require.NoError(t, os.Rename(filepath.Join(dir, "run"), filepath.Join(dir, evil)))
	for name, c := range map[string]struct {
		run  string
		code int
	}{"a run": {evil, cli.ExitPass}, "no run": {"no " + evil, cli.ExitUsage}} {
		got := fleetmark(t, dir, nil, "gate", "--baseline", "page.md", "--run", c.run)
		text := got.stdout + got.stderr
		require.Equal(t, c.code, got.code, "%s: %s", name, text)
		require.Contains(t, text, shown, name)
		require.NotContains(t, text, "\x1b", name)
		require.NotContains(t, text, "\x07", name)
	}
}

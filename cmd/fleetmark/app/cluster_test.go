package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// TestClusterKeysPrintsNoSecret runs the command with success and with failures, and checks that it
// prints no part of a key or a seed that it made.
func TestClusterKeysPrintsNoSecret(t *testing.T) {
	dir := t.TempDir()
	said := []byte{}
	for _, c := range []struct {
		code int
		args []string
	}{
		{cli.ExitPass, []string{"cluster", "keys", "keys", "--host", "a.example.com"}},
		{cli.ExitUsage, []string{"cluster", "keys", "keys"}}, // they exist
		{cli.ExitUsage, []string{"cluster", "keys", filepath.Join("keys", "agent.nk")}},
		{cli.ExitUsage, []string{"cluster", "keys", "other", "--for", "1s"}},
	} {
		got := fleetmark(t, dir, nil, c.args...)
		require.Equal(t, c.code, got.code, "%v\n%s", c.args, got.stderr)
		said = append(append(said, got.stdout...), got.stderr...)
	}
	require.Contains(t, string(said), "controller.nk")
	var secrets []string
	for _, pattern := range []string{"*.key", "*.nk"} {
		files, err := filepath.Glob(filepath.Join(dir, "keys", pattern))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
					secrets = append(secrets, line[:20]) // a part is too much already
				}
			}
		}
	}
	require.GreaterOrEqual(t, len(secrets), 6, "four keys and two seeds")
	require.True(t, tells([]byte("oops: "+secrets[0]), secrets, 0), "this test finds a secret")
	require.False(t, tells(said, secrets, 0))
}

package app

import (
	"bytes"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

func TestVersionOf(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		version, revision string
		commit            string
		dirty             *bool
		text              string
	}{
		"built in a checkout": {"v0.0.0-20260102030405-8511428a0f6e", "8511428a0f6e2d3c", "8511428a0f6e2d3c", &no,
			"fleetmark v0.0.0-20260102030405-8511428a0f6e, commit 8511428a0f6e2d3c, "},
		"a changed one": {"(devel)", "8511428a0f6e2d3c+dirty", "8511428a0f6e2d3c", &yes,
			"fleetmark (devel), commit 8511428a0f6e2d3c (dirty), "},
		"installed by version": {"v1.2.3", "v1.2.3", "", nil, "fleetmark v1.2.3, commit unknown, "},
		"installed by a commit": {"v1.2.4-0.20260102030405-8511428a0f6e", "v1.2.4-0.20260102030405-8511428a0f6e",
			"8511428a0f6e", &no, "fleetmark v1.2.4-0.20260102030405-8511428a0f6e, commit 8511428a0f6e, "},
		"nothing was recorded":    {"(devel)", "unknown", "", nil, "fleetmark (devel), commit unknown, "},
		"not even by the program": {"", "unknown", "", nil, "fleetmark (devel), commit unknown, "},
	} {
		v := versionOf(&debug.BuildInfo{Main: debug.Module{Path: "m", Version: test.version}}, test.revision)
		require.Equal(t, test.commit, v.Commit, name)
		require.Equal(t, test.dirty, v.Dirty, name)
		require.True(t, strings.HasPrefix(v.String(), test.text), "%s: %s", name, v)
	}
}

// TestHelpNamesKindsOfValues checks that --help names what each text flag of a command takes.
func TestHelpNamesKindsOfValues(t *testing.T) {
	untyped := regexp.MustCompile(`(?m)^ +(-\w, )?--\S+ (string|strings|stringArray)\b.*$`)
	seen := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		var help bytes.Buffer
		cmd.SetOut(&help)
		require.NoError(t, cmd.Help())
		require.Empty(t, untyped.FindAllString(help.String(), -1), cmd.CommandPath())
		require.NotContains(t, help.String(), "(default [])", cmd.CommandPath())
		seen++
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(cli.Console{}))
	require.Greater(t, seen, 20)
}

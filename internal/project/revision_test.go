package project

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/stretchr/testify/require"
)

const ours = "github.com/fleetmark/fleetmark"

func TestBuildRevision(t *testing.T) {
	for name, c := range map[string]struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		"a build of a checkout": {"v0.0.0-2026",
			[]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}, "abc"},
		"a build of a changed checkout": {"v0.0.0-2026",
			[]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}, "abc+dirty"},
		"go install MODULE@VERSION": {"v1.2.3", nil, "v1.2.3"},
		"go run":                    {"(devel)", []debug.BuildSetting{{Key: "GOOS", Value: "linux"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, buildRevision(&debug.BuildInfo{Main: debug.Module{Path: ours, Version: c.version},
				Settings: c.settings}))
		})
	}
}

func TestCheckoutRevision(t *testing.T) {
	testenv.Program(t, "git")
	repository := func(goMod string) (dir, head string) {
		dir = t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
		for name, text := range map[string]string{"go.mod": goMod, "sub/file": "1"} {
			if text != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
		}
		for _, args := range [][]string{{"init", "-q"}, {"add", "."},
			{"-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "m"}} {
			_, err := git(t.Context(), dir, args...)
			require.NoError(t, err)
		}
		head, err := git(t.Context(), dir, "rev-parse", "HEAD")
		require.NoError(t, err)
		return dir, head
	}
	ask := func(dir string) string { return checkoutRevision(t.Context(), dir, ours) }

	dir, head := repository("// the module\nmodule " + ours + " // here\n\ngo 1.26\n")
	require.Len(t, head, 40)
	require.Equal(t, head, ask(dir))
	require.Equal(t, head, ask(filepath.Join(dir, "sub")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("2"), 0o600))
	require.Equal(t, head+"+dirty", ask(dir))

	for name, goMod := range map[string]string{"no module": "", "another module": "module example.com/other\n",
		"a longer path": "module " + ours + "/v2\n"} {
		dir, _ := repository(goMod)
		require.Equal(t, UnknownRevision, ask(dir), name)
		require.Equal(t, UnknownRevision, ask(filepath.Join(dir, "sub")), name)
	}
	// The source may be unpacked inside another project, whose history isn't its own.
	dir, _ = repository("")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "go.mod"), []byte("module "+ours+"\n"), 0o600))
	require.Equal(t, UnknownRevision, ask(filepath.Join(dir, "sub")))
	require.Equal(t, UnknownRevision, ask(t.TempDir()), "no repository")
}

package project

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// write makes files below a new directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

func TestFind(t *testing.T) {
	root := write(t, map[string]string{
		"module/go.mod":               "// a comment\nmodule \"example.com/m\" // another\n\ngo 1.26\n",
		"module/fleetmark.yaml":       "units: {x: {better: lower}}\n",
		"module/a/b/c.go":             "package b\n",
		"module/nested/go.mod":        "module example.com/nested\n",
		"repository/.git/HEAD":        "ref: refs/heads/main\n",
		"repository/sub/x":            "",
		"repository/fleetmark.yaml":   "units: {y: {better: higher}}\n",
		"module/other/.git/HEAD":      "ref: refs/heads/main\n",
		"module/other/sub/x":          "",
		"module/other/fleetmark.yaml": "units: {y: {better: higher}}\n",
		"wrong/go.mod":                "module example.com/wrong\n",
		"wrong/fleetmark.yaml":        "unit: {}\n",
		"large/go.mod":                "module example.com/large\n",
		"unreadable/go.mod":           "module example.com/unreadable\n",
		"unreadable/fleetmark.yaml/x": "a directory of that name\n",
	})
	require.NoError(t, os.Truncate(filepath.Join(root, "large", "go.mod"), 26))
	require.NoError(t, os.WriteFile(filepath.Join(root, "large", ConfigFile), make([]byte, maxConfigBytes+1), 0o600))
	find := func(dir string) (Project, error) { return Find(filepath.Join(root, filepath.FromSlash(dir))) }

	got, err := find("module/a/b")
	require.NoError(t, err)
	require.Equal(t, Project{
		Root: filepath.Join(root, "module"), Module: "example.com/m", File: filepath.FromSlash("../../fleetmark.yaml"),
		Config: Config{Units: map[string]Unit{"x": {}}},
	}, got)
	got, err = find("module")
	require.NoError(t, err)
	require.Equal(t, ConfigFile, got.File)

	// A nested module doesn't use the file of the module around it.
	got, err = find("module/nested")
	require.NoError(t, err)
	require.Equal(t, Project{Root: filepath.Join(root, "module", "nested"), Module: "example.com/nested"}, got)

	// Nor does a repository in a module, such as one in a home directory that has a go.mod.
	got, err = find("module/other/sub")
	require.NoError(t, err)
	require.Equal(t, Project{
		Root: filepath.Join(root, "module", "other"), File: filepath.FromSlash("../fleetmark.yaml"),
		Config: Config{Units: map[string]Unit{"y": {HigherIsBetter: true}}},
	}, got)

	// Without a module, the root is the repository's.
	got, err = find("repository/sub")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "repository"), got.Root)
	require.Empty(t, got.Module)
	require.Equal(t, map[string]Unit{"y": {HigherIsBetter: true}}, got.Config.Units)

	_, err = find("wrong")
	require.EqualError(t, err, `fleetmark.yaml:1:1: unknown key "unit": want one of benchmarks, units, targets, anti_patterns, commands, client, gate, baseline`)
	_, err = find("large")
	require.EqualError(t, err, "fleetmark.yaml: is over 256 KiB: want a file that can be read")
	_, err = find("unreadable")
	require.ErrorContains(t, err, "fleetmark.yaml: is a directory: want a file that can be read")
	var mistake *ConfigError
	require.ErrorAs(t, err, &mistake)
}

func TestFind_nothing(t *testing.T) {
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			t.Skip("the temporary folder lies in a module")
		}
		if _, err := os.Stat(filepath.Join(d, ".git")); err == nil {
			t.Skip("the temporary folder lies in a repository")
		}
	}
	got, err := Find(dir)
	require.NoError(t, err)
	require.Equal(t, Project{}, got)
}

func TestModule(t *testing.T) {
	for text, want := range map[string]string{
		"module a/b\n": "a/b", "module \"a/b\"": "a/b", "// module x\n\tmodule a/b // c\n": "a/b", "": "", "modules a": "",
	} {
		dir := write(t, map[string]string{"go.mod": text, "sub/x": ""})
		root, path, err := Module(filepath.Join(dir, "sub"))
		require.NoError(t, err)
		require.Equal(t, dir, root)
		require.Equal(t, want, path, "%q", text)
	}
}

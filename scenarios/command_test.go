package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientDirectory checks where a command runs: in the directory of the file that has it, or in
// one that is named from the directory of the file that names it.
func TestClientDirectory(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	nameOf := func(file string) string { return strings.NewReplacer("/", "-", ".yaml", "").Replace(file) }
	for name, text := range map[string]string{
		"here.yaml":         "client: {command: [./push]}\n",
		"none.yaml":         "load: {workers: 1}\n",
		"sub/own.yaml":      "client: {command: [./push]}\n",
		"sub/below.yaml":    "client: {command: [./push], directory: bin}\n",
		"sub/above.yaml":    "client: {command: [./push], directory: ..}\n",
		"sub/absolute.yaml": "client: {command: [./push], directory: /bin}\n",
		"variant.yaml":      "extends: sub/own.yaml\n",
		"moved.yaml":        "extends: sub/below.yaml\nclient: {directory: other}\n",
		"other.yaml":        "extends: sub/own.yaml\nclient: {command: [./other]}\n",
		"kept.yaml":         "extends: sub/below.yaml\nclient: {command: [./other]}\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte("name: "+nameOf(name)+"\n"+text), 0o600))
	}
	for name, want := range map[string]string{
		"here.yaml": "", "none.yaml": "", "sub/own.yaml": "sub", "sub/below.yaml": "sub/bin", "sub/above.yaml": ".",
		"sub/absolute.yaml": "/bin", "variant.yaml": "sub", "moved.yaml": "other", "other.yaml": "", "kept.yaml": "sub/bin",
		root + "/sub/own.yaml": root + "/sub",
	} {
		s, err := LoadFile(name)
		require.NoError(t, err, name)
		require.Equal(t, filepath.FromSlash(want), s.Client.Directory, name)
	}
}

func TestWithProcessDefaults(t *testing.T) {
	require.Equal(t, ClientSpec{}, ClientSpec{}.WithProcessDefaults())
	s := ClientSpec{Command: []string{"push"}, Concurrency: 3}.WithProcessDefaults()
	require.Equal(t, []any{1, 3, "1m0s"}, []any{s.Processes, s.Concurrency, s.Deadline.Std().String()})
}

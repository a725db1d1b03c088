package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The largest size of a package, without tests, for which docs/design.md needn't give a reason.
const (
	maxFiles = 25
	maxLines = 4000
)

// TestSizesOfPackages checks that packages stay small enough to be understood as a whole, and that
// docs/design.md gives a reason for exactly those that are larger.
func TestSizesOfPackages(t *testing.T) {
	root := repository(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "| package | why it is larger |\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n\n")
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
		explained = append(explained, row[1])
	}

	files, lines := map[string]int{}, map[string]int{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || path != root && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		files[filepath.ToSlash(dir)]++
		lines[filepath.ToSlash(dir)] += strings.Count(string(code), "\n")
		return err
	}))
	var large []string
	for dir, n := range files {
		if n > maxFiles || lines[dir] > maxLines {
			large = append(large, dir)
		}
	}
	slices.Sort(large)
	slices.Sort(explained)
	require.Equal(t, large, explained, "divide a package that grew, or say in docs/design.md why it is larger; take out one that isn't")
}

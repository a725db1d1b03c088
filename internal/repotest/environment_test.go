package repotest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEnvironmentPage checks that docs/reference/environment.md has every environment variable that
// the code outside tests reads.
func TestEnvironmentPage(t *testing.T) {
	root := repository(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "reference", "environment.md"))
	require.NoError(t, err)
	code := strings.Builder{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	}))
	found := 0
	for _, read := range regexp.MustCompile(`os\.(?:Getenv|LookupEnv)\(([^)]+)\)`).FindAllStringSubmatch(code.String(),
		-1) {
		name := strings.Trim(read[1], `"`)
		if name == "field.Env" { // a scenario names it
			continue
		}
		if name == read[1] {
			constant := regexp.MustCompile(`(?m)^(?:const|\t)\s*` + name + `\s*= "([A-Z_]+)"`).FindStringSubmatch(code.String())
			require.NotNil(t, constant, "%s: want a constant with the name of an environment variable", read[0])
			name = constant[1]
		}
		found++
		require.Contains(t, string(page), "`"+name+"`", "docs/reference/environment.md lacks a variable that the code reads")
	}
	require.Greater(t, found, 6)
}

package baselinepage

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results/baseline"
)

// TestReferencePage checks that docs/reference/baseline-page.md has every section of the baseline
// page, in the same order, and no other.
func TestReferencePage(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, baseline.FileName))
	require.NoError(t, err)
	var titles []string
	for _, m := range regexp.MustCompile(`(?m)^## ([^\r\n]+)`).FindAllSubmatch(page, -1) {
		titles = append(titles, string(m[1]))
	}
	require.Greater(t, len(titles), len(Sections()))
	reference, err := os.ReadFile(filepath.Join(root, "docs", "reference", "baseline-page.md"))
	require.NoError(t, err)
	_, table, ok := regexpCut(reference, `(?m)^\| section \| what it holds \|\r?\n\|---\|---\|\r?\n`)
	require.True(t, ok)
	table, _, _ = regexpCut(table, `(?m)^\r?\n`)
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllSubmatch(table, -1) {
		documented = append(documented, string(m[1]))
	}
	require.Equal(t, titles, documented)
}

// regexpCut returns the text before and after the first match of a regular expression.
func regexpCut(text []byte, expression string) (before, after []byte, found bool) {
	at := regexp.MustCompile(expression).FindIndex(text)
	if at == nil {
		return text, nil, false
	}
	return text[:at[0]], text[at[1]:], true
}

package repotest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDrawingOfImports checks the drawing in docs/design.md against the imports. It shows the packages
// that measure and those of profiles, each other tree of packages as one box, and no helpers.
func TestDrawingOfImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"/...").Output()
	require.NoError(t, err)
	imports := map[string]map[string]bool{} // by box
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		paths := strings.Fields(line)
		from := boxOf(paths[0])
		if from == "" {
			continue
		}
		if imports[from] == nil {
			imports[from] = map[string]bool{}
		}
		for _, path := range paths[1:] {
			if to := boxOf(path); to != "" && to != from {
				imports[from][to] = true
			}
		}
	}
	var drawing strings.Builder
	drawing.WriteString("```mermaid\ngraph TD\n")
	name := strings.NewReplacer("/", "_")
	for _, box := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&drawing, "    %s[%q]\n", name.Replace(box), box)
	}
	for _, from := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range slices.Sorted(maps.Keys(imports[from])) {
			require.False(t, reaches(imports, to, from), "%s and %s import each other", from, to)
			implied := false // by another arrow
			for other := range imports[from] {
				implied = implied || other != to && reaches(imports, other, to)
			}
			if !implied {
				fmt.Fprintf(&drawing, "    %s --> %s\n", name.Replace(from), name.Replace(to))
			}
		}
	}
	drawing.WriteString("```\n")
	text, err := os.ReadFile(filepath.Join(repository(t), "docs", "design.md"))
	require.NoError(t, err)
	require.Truef(t, strings.Contains(string(text), drawing.String()), "the drawing in docs/design.md must be:\n%s",
		drawing.String())
}

// boxOf returns the box that stands for a package in the drawing, or "" if there is none.
func boxOf(path string) string {
	path, ours := strings.CutPrefix(path, module+"/")
	tree, _, _ := strings.Cut(path, "/")
	switch {
	case !ours || tree == "docs" || slices.Contains(strings.Split(path, "/"), "internal"):
		return ""
	case tree == "scenarios" || tree == "profiles":
		return path
	}
	return tree
}

// reaches reports whether imports lead from one box to another.
func reaches(imports map[string]map[string]bool, from, to string) bool {
	for next := range imports[from] {
		if next == to || reaches(imports, next, to) {
			return true
		}
	}
	return false
}

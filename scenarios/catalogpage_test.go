package scenarios

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCatalogPage compares the page of the catalog in docs with the comments at the beginnings of the
// catalog's files: a question, then how it is answered and how long that takes.
func TestCatalogPage(t *testing.T) {
	var page strings.Builder
	page.WriteString(`# Catalog of scenarios

<!-- Written by TestCatalogPage from the comments of scenarios/catalog/*.yaml. -->

What ` + "`fleetmark run NAME`" + ` can run. Durations are those of two cores. A long one can be made short:
` + "`fleetmark run soak --duration 1m`, `fleetmark run million --devices 10000`" + `.
[Write a scenario](../guides/write-a-scenario.md) shows how to change one.

| scenario | question | how it is answered |
|---|---|---|
`)
	for _, name := range CatalogNames() {
		text, err := CatalogFile(name)
		require.NoError(t, err)
		var comment []string
		for line := range strings.SplitSeq(string(text), "\n") {
			rest, ok := strings.CutPrefix(line, "#")
			if !ok {
				break
			}
			comment = append(comment, strings.TrimSpace(rest))
		}
		question, answer, ok := strings.Cut(strings.Join(comment, " "), "? ")
		require.Truef(t, ok, "catalog/%s.yaml: want a comment that begins with a question, and then says how it is answered", name)
		require.NotContains(t, answer, "?", name)
		fmt.Fprintf(&page, "| `%s` | %s? | %s |\n", name, question, strings.ReplaceAll(answer, "|", `\|`))
	}
	requireGolden(t, filepath.Join("..", "..", "docs", "reference", "catalog.md"), page.String())
}

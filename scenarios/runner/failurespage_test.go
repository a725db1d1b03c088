package runner

import (
	"path/filepath"
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestFailuresPage keeps the tables in docs/reference/run-directory.md that describe failures.jsonl
// up to date.
func TestFailuresPage(t *testing.T) {
	const page = "reference/run-directory.md"
	ours, load := docpage.ReadSource(t, "."), docpage.ReadSource(t, filepath.Join("..", "load"))
	load.Foreign = map[string]string{"delivery.Op": "string"}
	docpage.Check(t, page, "failures", ours.FieldTable(t, "Failure"))
	docpage.Check(t, page, "operation", load.FieldTable(t, "Failure"))
	docpage.Check(t, page, "excerpt", docpage.ReadSource(t, filepath.Join("..", "portion")).FieldTable(t, "LedgerExcerpt"))
}

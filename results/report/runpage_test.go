package report

import (
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestRunObjectPage writes the table of docs/reference/run-directory.md that describes what run
// --json prints.
func TestRunObjectPage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	source.Foreign = map[string]string{"results.Status": "string", "results.Verdict": "string"}
	docpage.Check(t, "reference/run-directory.md", "run --json", source.FieldTable(t, "runObject"))
}

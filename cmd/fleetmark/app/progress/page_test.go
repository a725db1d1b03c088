package progress

import (
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestProgressPage keeps the table in docs/reference/run-directory.md that describes the objects of
// --progress json up to date.
func TestProgressPage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	source.Foreign = map[string]string{"runner.Phase": "string", "runner.Stage": "string"}
	docpage.Check(t, "reference/run-directory.md", "--progress json", source.FieldTable(t, "jsonProgress"))
}

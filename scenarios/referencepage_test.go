package scenarios

import (
	"path/filepath"
	"testing"
)

// TestReferencePage compares the page of all fields in docs with the table of fields.
func TestReferencePage(t *testing.T) {
	requireGolden(t, filepath.Join("..", "..", "docs", "scenario-fields.md"), Reference())
}

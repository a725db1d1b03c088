package runner

import (
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/stretchr/testify/require"
)

// TestStagesPage keeps the table of stages in docs/reference/run-directory.md up to date.
func TestStagesPage(t *testing.T) {
	var rows [][]string
	var values []Stage
	for _, c := range docpage.ReadSource(t, ".").Constants(t, "Stage") {
		rows = append(rows, []string{"`" + c.Value + "`", c.Doc})
		values = append(values, Stage(c.Value))
	}
	require.Equal(t, Stages(), values)
	docpage.Check(t, "reference/run-directory.md", "stages", docpage.Table([]string{"stage", "what happens"}, rows))
}

package rollout

import (
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestReferencePage writes the tables of docs/reference/delivery.md about rollouts.
func TestReferencePage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	for part, name := range map[string]string{
		"Options": "Options", "Wave": "Wave", "Requeue": "Requeue", "Journal": "Journal", "rollout.Report": "Report",
		"WaveReport": "WaveReport", "Event": "Event",
	} {
		docpage.Check(t, "reference/delivery.md", part, source.StructTable(t, name))
	}
	var kinds [][]string
	for _, k := range source.Constants(t, "EventKind") {
		kinds = append(kinds, []string{"`" + k.Value + "`", k.Doc})
	}
	docpage.Check(t, "reference/delivery.md", "EventKind", docpage.Table([]string{"kind", "what happened"}, kinds))
}

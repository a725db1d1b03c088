package results

import (
	"testing"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestRunPage writes the tables of docs/reference/run-directory.md that describe run.json.
func TestRunPage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	for part, name := range map[string]string{
		"run": "Run", "counts": "Counts", "operations": "Operations", "rollouts": "Wave", "fleet": "FleetHealth",
		"harness": "HarnessHealth", "pacing": "Pacing", "ports": "LocalPorts", "yardstick": "ReferenceSpeed",
		"interference": "Interference", "profiling": "Profiling", "machine": "Machine", "thresholds": "ThresholdOutcome",
		"groups": "Group", "group operations": "GroupOperation",
		"windows": "WindowsOutcome", "breaches": "Breach",
		"agents": "Agents", "agent": "Agent", "agent starts": "StartSkew", "agent lost": "AgentLoss",
		"partial": "Partial", "values": "PartialValue",
	} {
		docpage.Check(t, "reference/run-directory.md", part, source.FieldTable(t, name))
	}
}

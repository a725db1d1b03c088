package health

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestFindingsPage keeps the table of findings in docs/reference/verdicts.md up to date.
func TestFindingsPage(t *testing.T) {
	remedies := map[string]string{
		"contradiction":     "look for another driver of the fleet, or for a client that doesn't report all its requests",
		"fleet-reset":       "drive the fleet from one place at a time",
		"fleet-saturated":   "lower the load, or give the fleet more cores or a machine of its own",
		"harness-saturated": "lower the load or the number of connections, or raise the limit that the sentence names",
		"behind-schedule":   "allow more workers, or lower the rate; the sentence says which was short",
		"nothing-succeeded": "look at failures.jsonl",
		"broken-off":        "set a longer `load.drain`, or shorter timeouts of the client",
		"latency-overflow":  "set shorter timeouts of the client",
		"leak":              "look at the stacks or files that the sentence names",
		"no-limit":          "begin the search at a lower rate",
		"limit-elsewhere":   "remove the limit that the sentence names, and search again",
		"limit-uncertain":   "use a quieter machine, or a longer `load.breakpoint.probe`",
		"left-out":          "see why the service skips the devices that the sentence names",
		"service-ended":     "look at the last line that the sentence ends with; start the service by hand",
		"client-process":    "look at the line of standard error that the sentence ends with; run the command by hand",
		"target-lost":       "look at the fleet's output and at the system's log",
		"agent-lost":        "look at the agent's output and at its machine; the sentence says when it was last heard of",
		"start-skew":        "use quieter machines, or allow a larger skew",
		"agents-disagree":   "run the same revision with the same scenario on every machine; the sentence says what differs",
		"nats-lost":         "look at the server's log and at the network between the machines",
		"run-failed":        "do what the sentence says",
	}
	var rows [][]string
	for _, kind := range docpage.ReadSource(t, ".").Constants(t, "Kind") {
		require.NotEmpty(t, remedies[kind.Value], kind.Value)
		rows = append(rows, []string{"`" + kind.Value + "`", kind.Doc, remedies[kind.Value]})
		delete(remedies, kind.Value)
	}
	require.Empty(t, remedies)
	docpage.Check(t, "reference/verdicts.md", "findings",
		docpage.Table([]string{"kind", "what was found", "what to do"}, rows))
}
